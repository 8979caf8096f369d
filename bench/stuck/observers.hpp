// Who looks at a stuck program from outside: threads that have nothing of cove, so that they wait
// for the kernel alone.
#pragma once

#include "lateness.hpp"

#include <cstdint>
#include <future>
#include <stop_token>
#include <thread>
#include <utility>

namespace stuck {

/// Asks an echo service for a byte every `pitch`, over several connections in turn, however late
/// the answers before are: so a long delay meets as many as fell into it. Until it is told to stop
/// and everything was answered.
lateness ask_for_echoes(std::stop_token stop, std::uint16_t port);

/// Sleeps to a time every `pitch`: what the machine itself adds, under the same load.
lateness sleep_to_deadlines(std::stop_token stop);

/// A thread that looks until it is asked what it saw.
class observer {
 public:
  template <class Look, class... Args>
  explicit observer(Look look, Args... args) {
    std::packaged_task<lateness(std::stop_token)> task(
        [=](std::stop_token stop) { return look(std::move(stop), args...); });
    seen_ = task.get_future();
    thread_ = std::jthread(std::move(task));
  }
  /// Throws what ended it, if it failed.
  lateness stop() {
    thread_.request_stop();
    return seen_.get();
  }

 private:
  std::future<lateness> seen_;
  std::jthread thread_;
};

}  // namespace stuck
