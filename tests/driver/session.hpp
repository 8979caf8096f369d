#pragma once

#include "handles.hpp"
#include "operations.hpp"
#include "runtimes.hpp"
#include "threads.hpp"

namespace cove::driver {

/// Everything a request can reach.
struct session {
  explicit session(const runtime_options& chosen) : options(chosen), hosts(chosen) {}

  const runtime_options options;

  line_writer output;
  operations requests{output};
  helper_threads threads;
  handle_table handles;
  runtimes hosts;
  alarm_clock alarms;
};

}  // namespace cove::driver
