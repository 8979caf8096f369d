#include <cove/runtime/detail/cancel.hpp>

#include <cove/runtime/error.hpp>

#include "clock.hpp"

namespace cove::detail {
namespace {

/// Sets the request bit of every task of `group` and of all groups below it. Locks are taken from
/// the parent to the child, so two walks cannot lock each other out. A large group is held for the
/// whole walk: its tasks that end meanwhile wait for it.
void ask_group(task_group& group, task_list& woken) noexcept {
  const spin_guard members(group.lock);
  for (task_ctl* task = group.children; task != nullptr; task = task->next_sibling) {
    if (task->word.ask(parking_word::request)) woken.push(*task);
    const spin_guard tree(task->tree_lock);
    for (task_group* inner = task->groups; inner != nullptr; inner = inner->outer_group)
      ask_group(*inner, woken);
  }
}

}  // namespace

void enter_scope(task_ctl& task, cancel_scope& scope) noexcept {
  scope.owner = &task;
  scope.outer = task.scopes;
  scope.depth = scope.outer != nullptr ? scope.outer->depth + 1 : 0;
  task.scopes = &scope;
  if (scope.shield)
    task.deadline_ns = scope.deadline_ns;
  else if (scope.deadline_ns < task.deadline_ns)
    task.deadline_ns = scope.deadline_ns;
}

void leave_scope(task_ctl& task, cancel_scope& scope) noexcept {
  COVE_ASSERT(task.scopes == &scope);
  task.scopes = scope.outer;
  // A request that was seen only because of this scope, or hidden by its shield, is sorted out by
  // the next look(): the bit may stay, it only says "look".
  std::int64_t deadline = never_ns;
  for (const cancel_scope* s = task.scopes; s != nullptr && !s->shield; s = s->outer)
    if (s->deadline_ns < deadline) deadline = s->deadline_ns;
  task.deadline_ns = deadline;
  if (scope.shield && chain_reason(task) != stop_reason::none) task.word.ask(parking_word::request);
}

void enter_group(task_ctl& task, task_group& group) noexcept {
  group.runtime = task.runtime;
  group.deadline_ns = task.deadline_ns;
  enter_scope(task, group.scope);
  const spin_guard tree(task.tree_lock);
  group.outer_group = task.groups;
  task.groups = &group;
}

void leave_group(task_ctl& task, task_group& group) noexcept {
  {
    const spin_guard tree(task.tree_lock);
    COVE_ASSERT(task.groups == &group);
    task.groups = group.outer_group;
  }
  leave_scope(task, group.scope);
}

bool adopt(task_group& group, task_ctl& task) noexcept {
  task.runtime = group.runtime;
  task.group = &group;
  task.own.owner = &task;
  task.own.outer = &group.scope;
  task.own.depth = group.scope.depth + 1;
  task.scopes = &task.own;
  task.deadline_ns = group.deadline_ns;
  // relaxed, and again under the lock, which orders it.
  if (group.closed.load(std::memory_order_relaxed)) return false;
  const spin_guard members(group.lock);
  if (group.closed.load(std::memory_order_relaxed)) return false;
  task.next_sibling = group.children;
  if (group.children != nullptr) group.children->previous_sibling = &task;
  group.children = &task;
  ++group.running;
  return true;
}

task_ctl* disown(task_group& group, task_ctl& task) noexcept {
  void (*on_empty)(task_group&) noexcept = nullptr;
  task_ctl* waiter = nullptr;
  {
    const spin_guard members(group.lock);
    if (task.next_sibling != nullptr) task.next_sibling->previous_sibling = task.previous_sibling;
    (task.previous_sibling != nullptr ? task.previous_sibling->next_sibling : group.children) =
        task.next_sibling;
    if (--group.running == 0) {
      waiter = group.waiter;
      group.waiter = nullptr;
      if (group.closed.load(std::memory_order_relaxed)) on_empty = group.on_empty;
    }
  }
  // Only the runtime's own group has a callback, and that outlives every worker.
  if (on_empty != nullptr) on_empty(group);
  return waiter;
}

void trigger(cancel_scope& scope, stop_reason why, task_list& woken) noexcept {
  stop_reason none = stop_reason::none;
  // seq_cst: "triggered" is stored before any word is asked; the task that clears its request bit
  // reads "triggered" afterwards (parking_word.hpp, head).
  if (!scope.triggered.compare_exchange_strong(none, why, std::memory_order_seq_cst)) return;
  task_ctl* owner = scope.owner;
  if (owner == nullptr) return;
  if (owner->word.ask(parking_word::request)) woken.push(*owner);
  const spin_guard tree(owner->tree_lock);
  for (task_group* g = owner->groups; g != nullptr && g->scope.depth >= scope.depth;
       g = g->outer_group)
    ask_group(*g, woken);
}

void ask_all(task_group& group, task_list& woken) noexcept { ask_group(group, woken); }

stop_reason chain_reason(const task_ctl& task) noexcept {
  stop_reason found = stop_reason::none;
  std::int64_t now = -1;
  for (const cancel_scope* s = task.scopes; s != nullptr; s = s->outer) {
    // seq_cst: reads after forget_request(); pairs with trigger().
    stop_reason here = s->triggered.load(std::memory_order_seq_cst);
    if (here == stop_reason::none && s->deadline_ns != never_ns) {
      if (now < 0) now = now_ns();
      if (now >= s->deadline_ns) here = stop_reason::deadline;
    }
    if (here != stop_reason::none) found = here;
    if (s->shield) break;
  }
  return found;
}

stop_reason look(task_ctl& task) noexcept {
  if (task.word.asked(parking_word::closed)) return stop_reason::closed;
  stop_reason why = chain_reason(task);
  if (why == stop_reason::none && task.word.asked(parking_word::request)) {
    task.word.forget_request();
    why = chain_reason(task);
    if (why != stop_reason::none) task.word.ask(parking_word::request);
  }
  if (why == stop_reason::none && task.word.asked(parking_word::deadline))
    why = stop_reason::deadline;
  return why;
}

std::error_code code_of(stop_reason why) noexcept {
  switch (why) {
    case stop_reason::closed: return make_error_code(errc::closed);
    case stop_reason::deadline: return make_error_code(errc::deadline_exceeded);
    default: return std::make_error_code(std::errc::operation_canceled);
  }
}

}  // namespace cove::detail
