#pragma once

#include "handles.hpp"
#include "operations.hpp"
#include "runtimes.hpp"
#include "threads.hpp"

namespace cove::driver {

/// Everything a request can reach.
struct session {
  explicit session(const runtime_options& chosen, std::int64_t pool)
      : options(chosen), pool_max(pool), hosts(chosen) {}

  const runtime_options options;
  const std::int64_t pool_max;  ///< 0: was not chosen.

  line_writer output;
  operations requests{output};
  helper_threads threads;
  handle_table handles;
  runtimes hosts;
  alarm_clock alarms;
};

}  // namespace cove::driver
