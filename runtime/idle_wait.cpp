#include <cove/runtime/detail/idle_wait.hpp>

#include "sched/virtual_clock.hpp"
#include "state.hpp"

namespace cove::detail {
namespace {

idle_wait& as_wait(operation& op) noexcept { return static_cast<idle_wait&>(op); }

idle_list& list_of(task_ctl& task) noexcept {
  return task.runtime->scheduler.settings().clock->waiting_for_idle();
}

const operation_type idle_type{
    "until_idle",
    [](operation& base, task_ctl& task, sched::processor&) noexcept {
      idle_wait& op = as_wait(base);
      if (op.phase == idle_wait::state::woken) return true;
      op.unsupported = task.runtime->scheduler.settings().clock == nullptr;
      op.stopped = glance(task);
      if (op.unsupported || op.stopped != stop_reason::none) return true;
      list_of(task).add(op);
      return false;
    },
    [](operation& base, task_ctl& task, sched::processor&) noexcept {
      return list_of(task).remove(as_wait(base));
    },
    [](operation& base, stop_reason why) noexcept { as_wait(base).stopped = why; }};

}  // namespace

idle_wait::idle_wait() noexcept : operation(idle_type) {}

void idle_wait::await_resume() const {
  if (unsupported)
    throw_error(std::make_error_code(std::errc::operation_not_supported), "until_idle",
                "only a task under cove::test::run can wait for that");
  if (stopped != stop_reason::none) throw_stopped(stopped, "until_idle");
}

void idle_list::add(idle_wait& which) noexcept {
  which.phase = idle_wait::state::listed;
  which.next = nullptr;
  idle_wait** end = &first_;
  while (*end != nullptr) end = &(*end)->next;
  *end = &which;
}

bool idle_list::remove(idle_wait& which) noexcept {
  if (which.phase != idle_wait::state::listed) return false;
  idle_wait** at = &first_;
  while (*at != &which) at = &(*at)->next;
  *at = which.next;
  which.phase = idle_wait::state::fresh;
  return true;
}

bool idle_list::wake_all(task_list& woken) noexcept {
  if (first_ == nullptr) return false;
  while (idle_wait* which = first_) {
    first_ = which->next;
    which->phase = idle_wait::state::woken;
    if (which->task_->word.complete()) woken.push(*which->task_);
  }
  return true;
}

}  // namespace cove::detail
