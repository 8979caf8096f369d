#pragma once

#include <cstdint>

namespace cove::sched {

/// The CPU time of one thread, as others may ask for it.
class thread_clock {
 public:
  static thread_clock of_this_thread() noexcept;

  /// Nanoseconds; -1 if the system does not say. The thread has not ended.
  std::int64_t ns() const noexcept;

 private:
  std::int64_t id_ = -1;
};

}  // namespace cove::sched
