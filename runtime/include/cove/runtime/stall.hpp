#pragma once

#include <cove/runtime/time.hpp>

#include <cstdint>
#include <string>

namespace cove {

/// A task that has kept its thread without giving way for longer than runtime_options::stall_after:
/// it computes, or it is in a call that blocks. The log has each, at most one entry a second, and
/// runtime_options::on_stall gets all of them.
struct stall_report {
  std::uint64_t task_id = 0;
  std::string task;                   ///< Number, name and place, as in reports.
  std::uint64_t spawner = 0;          ///< The task that spawned it; 0: no task.
  int thread = 0;                     ///< The system's number of its thread.
  std::chrono::nanoseconds lasted{};  ///< So far, at least.
  bool blocked = false;               ///< The thread used no CPU when last seen.
  bool handed_on = false;             ///< Another thread runs its worker's other tasks meanwhile.
  /// Where the thread stands, a line for each function, if runtime_options::stall_stacks asks for
  /// it and the thread answered.
  std::string stack;
};

/// One line for people, and the stack's.
std::string to_string(const stall_report& report);

}  // namespace cove
