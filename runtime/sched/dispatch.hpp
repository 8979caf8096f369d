#pragma once

#include "sched/machine.hpp"

namespace cove::sched {

/// Takes a task that was popped from a queue as far as it goes: finishes the operation that it
/// waited for and resumes it, or parks it again. Afterwards the task belongs to somebody else.
void dispatch(machine& m, detail::task_ctl& task) noexcept;

}  // namespace cove::sched
