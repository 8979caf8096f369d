#include "sched/dispatch.hpp"

#include "sched/runtime_entry.hpp"
#include "sched/scheduler.hpp"
#include "state.hpp"

#include <cove/runtime/detail/root.hpp>
#include <cove/runtime/detail/suspend.hpp>

// Between "popped from a queue" and "resumed". Every way out of a wait comes through here, and so
// does every way in; a coroutine therefore sees final results only.
//
//   suspend     user code awaits        drive
//   dispatch    the worker popped it    claimed? settle : drive, then resume
//
//   drive    1. advance(): final -> go on; else it is armed
//            2. park(): parked -> the task is somebody else's from here on
//                       completed -> 1
//                       requested -> look(): no reason -> 2
//                                    withdraw(): taken back -> refused, go on
//                                                in flight -> remember why, 2 with the mask set
//   settle   a canceller claimed the parked task: look(): no reason -> unclaim, or go on as
//                                    completed withdraw(): taken back -> refused, go on
//                                                in flight -> remask: parked until it completes
//
// After a withdrawal in flight the next advance() ends the operation, so no wait stays masked.

namespace cove::sched {
namespace {

using detail::operation;
using detail::parking_word;
using detail::stop_reason;
using detail::task_ctl;

/// True if the operation is final; false if the task is parked.
bool drive(processor& p, task_ctl& task, operation& op) noexcept {
  while (!op.type->advance(op, task, p)) {
    bool mask = op.masked || op.cause != stop_reason::none;
    for (;;) {
      const parking_word::outcome outcome = task.word.park(mask);
      if (outcome == parking_word::outcome::parked) return false;
      if (outcome == parking_word::outcome::completed) break;
      const stop_reason why = detail::look(task);
      if (why == stop_reason::none) continue;
      if (op.type->withdraw(op, task, p)) {
        op.type->refuse(op, why);
        return true;
      }
      op.cause = why;
      mask = true;
    }
  }
  return true;
}

enum class settled : std::uint8_t { parked, completed, refused };

settled settle(processor& p, task_ctl& task, operation& op) noexcept {
  for (;;) {
    const stop_reason why = detail::look(task);
    if (why == stop_reason::none) {
      const parking_word::outcome outcome = task.word.unclaim();
      if (outcome == parking_word::outcome::parked) return settled::parked;
      if (outcome == parking_word::outcome::completed) return settled::completed;
      continue;
    }
    if (op.type->withdraw(op, task, p)) {
      task.word.take();
      op.type->refuse(op, why);
      return settled::refused;
    }
    op.cause = why;
    return task.word.remask() ? settled::parked : settled::completed;
  }
}

/// True if the task may be resumed.
bool go_on(processor& p, task_ctl& task) noexcept {
  if (task.op == nullptr) return true;
  operation& op = *task.op;
  settled how = settled::completed;
  if (task.word.claimed()) how = settle(p, task, op);
  if (how == settled::parked) return false;
  if (how == settled::completed && !drive(p, task, op)) return false;
  task.op = nullptr;
  task.word.end_operation();
  return true;
}

/// The one place where a coroutine is resumed. The thread leaves the runtime for it, so the
/// processor may be gone when it comes back (tenure.hpp).
void resume(machine& m, task_ctl& task) noexcept {
  task.budget = detail::ready_budget;
  task.hops = detail::hop_budget;
  task.waits.store(nullptr, std::memory_order_relaxed);
  std::coroutine_handle<> next = task.leaf;
  m.current.store(&task, std::memory_order_relaxed);
  counters::add(m.turns);
  m.presence.leave(0);
  if (!next && !(next = task.type->begin(task))) {
    m.finished = &task;
  } else {
    do {
      m.bounce = nullptr;
      next.resume();
      next = m.bounce;  // Set only while the task is still ours.
    } while (next);
    // Only now is the task known to be still here.
    if (m.finished != nullptr) task.type->end(task);
  }
  m.presence.enter();
  m.current.store(nullptr, std::memory_order_relaxed);
}

}  // namespace

void dispatch(machine& m, task_ctl& task) noexcept {
  if (!go_on(*m.p, task)) return;
  resume(m, task);
  if (task_ctl* finished = m.finished; finished != nullptr) {
    m.finished = nullptr;
    detail::finish_task(*finished, m.p);
  }
}

}  // namespace cove::sched

namespace cove::detail {

namespace {

/// The task stands in `op`, wherever it goes from here.
void stand_in(task_ctl& task, operation& op, std::coroutine_handle<> leaf) noexcept {
  task.leaf = leaf;
  task.op = &op;
  task.waits.store(op.name, std::memory_order_relaxed);
}

}  // namespace

bool suspend(task_ctl& task, operation& op, std::coroutine_handle<> leaf) noexcept {
  stand_in(task, op, leaf);
  sched::scheduler& scheduler = task.runtime->scheduler;
  const sched::runtime_entry entry(scheduler);
  // Without a processor nothing can be armed, and a spent budget is a turn for others: the
  // operation starts when a worker pops the task.
  if (entry.p() == nullptr || task.budget < 0) {
    entry.forget_task();
    if (entry.p() == nullptr)
      scheduler.inject(task);
    else
      scheduler.give_way(*entry.p(), task);
    return true;
  }
  if (!sched::drive(*entry.p(), task, op)) {
    entry.forget_task();
    return true;
  }
  task.op = nullptr;
  task.waits.store(nullptr, std::memory_order_relaxed);
  task.word.end_operation();
  return false;
}

bool run_before(task_ctl& first, task_ctl& task, operation& op,
                std::coroutine_handle<> leaf) noexcept {
  sched::machine* m = sched::this_machine();
  const sched::runtime_entry entry(task.runtime->scheduler, m);
  if (entry.p() == nullptr || --task.budget < 0 || glance(task) != stop_reason::none ||
      !entry.p()->queue.take_next_if(first))
    return false;
  stand_in(task, op, leaf);
  entry.forget_task();
  m->first = &first;
  static_cast<void>(entry.p()->queue.push_next(&task));  // It is empty: `first` was there.
  return true;
}

void suspend_yield(task_ctl& task, std::coroutine_handle<> leaf) noexcept {
  task.leaf = leaf;
  task.op = nullptr;
  sched::scheduler& scheduler = task.runtime->scheduler;
  const sched::runtime_entry entry(scheduler);
  entry.forget_task();
  if (task.budget < 0 && entry.p() != nullptr) return scheduler.give_way(*entry.p(), task);
  scheduler.requeue(entry.p(), task);
}

void make_ready(task_ctl& task, bool next) noexcept {
  task.runtime->scheduler.ready(task, next ? sched::placement::next : sched::placement::tail);
}

void make_ready(task_list& tasks) noexcept {
  // A request walks down one tree, and a tree lives in one runtime.
  if (!tasks.empty()) tasks.first->runtime->scheduler.ready_all(tasks);
}

std::coroutine_handle<> bounce(task_ctl& task, std::coroutine_handle<> to) noexcept {
  task.hops = hop_budget;
  sched::this_machine()->bounce = to;
  return std::noop_coroutine();
}

task_ctl* current_task() noexcept {
  const sched::machine* m = sched::this_machine();
  return m != nullptr ? m->current.load(std::memory_order_relaxed) : nullptr;
}

}  // namespace cove::detail
