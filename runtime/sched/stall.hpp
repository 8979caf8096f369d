#pragma once

#include <cstdint>
#include <source_location>

namespace cove::sched {

/// A task that has kept its thread for too long without giving way, as sysmon saw it. A copy: the
/// task may end in this moment.
struct stall {
  int thread = 0;  ///< The system's number.
  std::uint64_t task = 0;
  const char* name = nullptr;  ///< Null: it has none, but for its place's.
  std::source_location place;  ///< Where the task's coroutine last waited, or began.
  std::uint64_t spawner = 0;   ///< 0: no task.
  std::int64_t ns = 0;         ///< So long, at least.
  bool blocks = false;         ///< Uses no CPU, as far as was seen.
  bool handed_on = false;      ///< Another thread has its processor.
};

}  // namespace cove::sched
