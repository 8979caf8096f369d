#pragma once

#include <cove/runtime/detail/task_ctl.hpp>
#include <cove/runtime/detail/timer_node.hpp>

namespace cove::detail {

/// Sets a timer of the task on this processor; gives where it was set, or nullptr without memory.
sched::processor* set_timer(sched::processor& p, task_ctl& task, timer_node& timer,
                            std::int64_t when_ns) noexcept;

}  // namespace cove::detail
