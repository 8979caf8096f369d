#pragma once

#include "session.hpp"

#include <string>

namespace cove::driver {

/// The request that ends the program; its reply is the last line.
struct quit_request {
  std::int64_t id = 0;
  std::chrono::milliseconds limit{5000};
};

/// Starts the request of one line as a task, and never waits for it. `quit` is left to the caller.
std::optional<quit_request> dispatch(session& all, const std::string& line);

/// Stops every runtime within the limit. False if something is left behind.
bool stop_all(session& all, std::chrono::milliseconds limit);

}  // namespace cove::driver
