#include <cove/runtime/scope.hpp>

#include "state.hpp"

#include <cove/runtime/supervisor.hpp>

// Scopes and supervisors: how a group opens, fails and ends.

namespace cove::detail {
namespace {

const operation_type group_join_type{
    "the end of its scope",
    [](operation& base, task_ctl& task, sched::processor&) noexcept {
      task_group& group = static_cast<group_join&>(base).group;
      const spin_guard members(group.lock);
      if (group.running != 0) {
        group.waiter = &task;
        return false;
      }
      group.closed.store(true, std::memory_order_relaxed);
      return true;
    },
    // Never asked: the wait is masked.
    [](operation&, task_ctl&, sched::processor&) noexcept { return false; },
    [](operation&, stop_reason) noexcept {}};

}  // namespace

open_group::open_group(task_group& group) : group_(group) { enter_group(*current_task(), group); }
open_group::~open_group() { leave_group(*current_task(), group_); }

group_join::group_join(task_group& which) noexcept
    : operation(group_join_type, true), group(which) {}

void fail_group(task_group& group, std::exception_ptr failure, bool unwound) noexcept {
  {
    const spin_guard members(group.lock);
    if (unwound)
      group.unwound = true;
    else if (!group.failure)
      group.failure = std::move(failure);
  }
  cancel_group(group);
}

bool is_unwinding(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const std::system_error& e) {
    // Only if somebody asked: a stray canceled, of a task joined here say, is a failure.
    const stop_reason asked = chain_reason(*current_task());
    if (e.code() == std::errc::operation_canceled) return asked != stop_reason::none;
    return e.code() == errc::deadline_exceeded && asked == stop_reason::deadline;
  } catch (...) {
    return false;
  }
}

void rethrow_group(task_group& group, bool complete) {
  // Every task of the group has ended: nobody else touches it.
  if (group.failure) std::rethrow_exception(group.failure);
  if (!group.unwound && complete) return;
  // Something ended by a request. If one from outside the group is there, it is passed on; if the
  // group was only asked by its own, the job is done.
  const task_ctl& owner = *group.scope.owner;
  const stop_reason own = group.scope.triggered.load(std::memory_order_relaxed);
  group.scope.triggered.store(stop_reason::none, std::memory_order_relaxed);
  if (const stop_reason why = chain_reason(owner); why != stop_reason::none)
    throw_stopped(why, "scope");
  if (own == stop_reason::none) throw canceled("scope");
}

void cancel_group(task_group& group) noexcept {
  task_list woken;
  trigger(group.scope, stop_reason::canceled, woken);
  make_ready(woken);
}

task_failure make_task_failure(task_ctl& task, std::exception_ptr failure) noexcept {
  const char* name = task.name.load(std::memory_order_relaxed);
  const std::source_location place = task.place.load(std::memory_order_relaxed);
  return {task.id, name != nullptr ? name : place.function_name(), place, std::move(failure)};
}

}  // namespace cove::detail
