#include <cove/runtime/spawn.hpp>

#include <cove/runtime/detail/binding.hpp>
#include <cove/runtime/detail/log.hpp>
#include "sched/machine.hpp"
#include "sched/runtime_entry.hpp"
#include "state.hpp"

#include <cove/runtime/supervisor.hpp>

#include <cstdio>
#include <cstdlib>

// The life of a spawned task, and the join word through which its end meets whoever holds its
// handle.
//
// The join word
//   0         -> task*     the holder waits                        (join_op)
//   0         -> parker*+1 a thread waits                          (block_thread)
//   task*     -> 0         the waiting was cancelled
//   0         -> detached  the handle went first: the end frees the root
//   any       -> done      the task has ended; a waiter is woken. Then the holder frees the root.
// Two parties, so no count: whoever comes second frees. Orders: the end's exchange releases the
// result and acquires a waiter's frame; the waiter's exchange does the reverse (acq_rel on both).
//
// The end of a task, in this order
//   1. a failure goes where it belongs (scope: cancels the siblings; supervisor: see 3)
//   2. the task leaves its group: the last access to the group, which may be gone right after
//   3. the join word; a supervised failure that nobody can join any more is reported
//   4. the waiter of the group, if this was the last of it, goes on
// Coroutine, callable and arguments were gone before 1 (root.hpp), and so are inherited values.

namespace cove::detail {
namespace {

void report_failure(task_ctl& task, failure_sink* sink) noexcept {
  std::exception_ptr failure = std::exchange(task.failure, nullptr);
  if (sink != nullptr) return sink->failed(task, std::move(failure));
  if (task.terminates) {
    if (auto* handler = task.runtime->options.on_detached_failure; handler != nullptr)
      return handler(std::move(failure));
    std::fprintf(stderr, "cove: detached task %s failed: %s\n", describe_task(task).c_str(),
                 describe_exception(failure).c_str());
    std::terminate();
  }
  log(log_level::error, "task " + describe_task(task) + " failed: " + describe_exception(failure));
}

/// True if the failure is left with the task for whoever joins it.
void route_failure(task_ctl& task, task_group& group) noexcept {
  if (task.unwound) {
    // A request that was not its own passed through: the group's owner must hear of it, unless the
    // group itself was asked to end.
    if (task.own.triggered.load(std::memory_order_relaxed) != stop_reason::none) return;
    const spin_guard members(group.lock);
    group.unwound = true;
    return;
  }
  if (group.kind == task_group::policy::scope) return fail_group(group, task.failure, false);
  if (task.join.load(std::memory_order_acquire) == task_ctl::joined_detached)
    return report_failure(task, group.sink);
  // Somebody may still join it; if the handle is dropped instead, the sink hears of it then.
  task.owed = true;
  task.sink = group.sink;
  if (task.sink != nullptr) task.sink->retain();
}

void free_root(task_ctl& task) noexcept {
  // The group may be gone; what the task owes it carries itself.
  if (task.failure && task.owed) report_failure(task, task.sink);
  if (task.sink != nullptr) task.sink->release();
  task.type->destroy(task);
}

}  // namespace

void root_base::fail(std::exception_ptr why) noexcept {
  failure = std::move(why);
  unwound = is_unwinding(failure);
}

void root_base::check_start() const {
  if (const stop_reason why = chain_reason(*this); why != stop_reason::none)
    throw_stopped(why, "start");
}

void body_ended(task_ctl& task) noexcept { sched::this_machine()->finished = &task; }

bool start_root(task_group& group, task_ctl& task) noexcept {
  runtime_state& runtime = *group.runtime;
  sched::machine* m = sched::this_machine();
  task.id = runtime.scheduler.new_task_id(m);
  const task_ctl* spawner = m != nullptr ? m->current.load(std::memory_order_relaxed) : nullptr;
  if (spawner != nullptr && spawner->runtime == &runtime) task.parent_id = spawner->id;
  if (!adopt(group, task)) return false;
  if (spawner != nullptr) inherit(task, *spawner);
  const sched::runtime_entry entry(runtime.scheduler, m);
  if (entry.p() != nullptr) {
    sched::counters::add(entry.p()->count.spawned);
    runtime.scheduler.ready_on(*entry.p(), task, sched::placement::next);
  } else {
    runtime.spawned_outside.fetch_add(1, std::memory_order_relaxed);
    runtime.scheduler.inject(task);
  }
  return true;
}

task_group& current_root_group() {
  task_ctl* task = current_task();
  if (task == nullptr)
    throw error(std::make_error_code(std::errc::operation_not_permitted), "spawn outside of a task",
                "use runtime::spawn, or run the caller as a task");
  return task->runtime->root;
}

void finish_task(task_ctl& task, sched::processor* p) noexcept {
  task_group& group = *task.group;
  drop_bindings(task);
  if (task.failure) route_failure(task, group);
  runtime_state& runtime = *task.runtime;  // The task may be gone before we are done.
  if (p != nullptr)
    sched::counters::add(p->count.finished);
  else
    runtime.finished_outside.fetch_add(1, std::memory_order_relaxed);
  const auto wake_next = [&runtime, p](task_ctl& woken) noexcept {
    if (p != nullptr && woken.runtime == &runtime)
      runtime.scheduler.ready_on(*p, woken, sched::placement::next);
    else
      make_ready(woken, true);
  };
  task_ctl* owner = disown(group, task);
  const std::uintptr_t holder =
      task.join.exchange(task_ctl::joined_done, std::memory_order_acq_rel);
  if (holder == task_ctl::joined_detached) {
    free_root(task);
  } else if ((holder & 1) != 0) {
    reinterpret_cast<sched::parker*>(holder - 1)->unpark();
  } else if (holder != 0) {
    auto* joiner = reinterpret_cast<task_ctl*>(holder);
    if (joiner->word.complete()) wake_next(*joiner);
  }
  if (owner != nullptr && owner->word.complete()) wake_next(*owner);
}

void drop_root(task_ctl& task) noexcept {
  // acquire: the end. Looking first, because most handles have been joined.
  std::uintptr_t running = task.join.load(std::memory_order_acquire);
  // acq_rel: releases what the holder did with the frame; acquires the end if that came first.
  if (running == 0 && task.join.compare_exchange_strong(running, task_ctl::joined_detached,
                                                        std::memory_order_acq_rel))
    return;
  COVE_CHECK(running == task_ctl::joined_done, "a join handle was destroyed while it was awaited");
  free_root(task);
}

namespace {

join_op& as_join(operation& op) noexcept { return static_cast<join_op&>(op); }

}  // namespace

const operation_type join_type{
    "join",
    [](operation& base, task_ctl& task, sched::processor&) noexcept {
      join_op& op = as_join(base);
      if (op.target == nullptr) {
        op.refused = std::make_error_code(std::errc::operation_canceled);
        return true;
      }
      // acquire: the end, and the result.
      std::uintptr_t running = op.target->join.load(std::memory_order_acquire);
      if (running == task_ctl::joined_done) return true;
      if (const stop_reason why = glance(task); why != stop_reason::none) {
        op.refused = code_of(why);
        return true;
      }
      running = 0;
      // acq_rel: see "The join word".
      if (op.target->join.compare_exchange_strong(running, reinterpret_cast<std::uintptr_t>(&task),
                                                  std::memory_order_acq_rel))
        return false;
      if (running != task_ctl::joined_done)
        op.refused = make_error_code(errc::operation_in_progress);
      return true;
    },
    [](operation& base, task_ctl& task, sched::processor&) noexcept {
      auto waiting = reinterpret_cast<std::uintptr_t>(&task);
      return as_join(base).target->join.compare_exchange_strong(waiting, 0,
                                                                std::memory_order_acq_rel);
    },
    [](operation& base, stop_reason why) noexcept { as_join(base).refused = code_of(why); }};

}  // namespace cove::detail
