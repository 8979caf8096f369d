#pragma once

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/operation.hpp>
#include <cove/runtime/detail/parking_word.hpp>
#include <cove/runtime/detail/spin_lock.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>

// The control block of a task and the tree it stands in.
//
// A task is a chain of coroutine frames with one control block, in its root (root.hpp). The block
// is what run queues link, what parks and what is cancelled.
//
// Cancellation is a request that travels down a tree and is read from inside out. Every task
// carries a chain of cancel scopes: the timeouts it is inside of, the groups it has opened, its own
// scope, and from there on the scopes of the task that owns its group, up to the runtime's.
// Triggering a scope stores the reason in it, then sets the request bit of every task below (and
// wakes those that are parked); each of these tasks then walks its own chain outwards and finds the
// reason, the outermost one before a shield. So the walk down decides nothing, it only says "look".

namespace cove::detail {

struct binding;
struct root_type;
struct runtime_state;
struct task_group;
struct failure_sink;

inline constexpr std::int64_t never_ns = INT64_MAX;

/// One link of a task's chain. Owned by the frame that opened it.
struct cancel_scope {
  // Constant while open.
  cancel_scope* outer = nullptr;
  task_ctl* owner = nullptr;  ///< The task in whose chain it stands; null for the runtime's own.
  std::int64_t deadline_ns = never_ns;
  std::uint32_t depth = 0;
  bool shield = false;  ///< What is triggered further out is not seen from inside.

  /// none -> the first reason; never back. seq_cst, see parking_word.
  atomic<stop_reason> triggered{stop_reason::none};
};

/// An intrusive list of tasks to schedule, linked through task_ctl::next.
struct task_list {
  task_ctl* first = nullptr;
  task_ctl* last = nullptr;
  std::size_t count = 0;

  inline void push(task_ctl& task) noexcept;
  inline task_ctl* pop() noexcept;
  bool empty() const noexcept { return first == nullptr; }
};

struct task_ctl {
  // The first cache line is what every suspension and resumption touches.

  // Whoever owns the task: the worker that runs it, or the queue that it is in.
  task_ctl* next = nullptr;
  std::coroutine_handle<> leaf;  ///< What to resume; null before it began.
  operation* op = nullptr;
  std::int64_t deadline_ns = never_ns;  ///< Earliest of the chain, up to a shield.
  std::int16_t hops = 0;                ///< Transfers left before the stack is unwound.
  std::int16_t budget = 0;              ///< Ready operations left before it must give way.
  // The task itself; whoever holds its handle once it has ended. They stand here for the room.
  bool unwound = false;  ///< `failure` is only a request passing through.
  bool owed = false;  ///< Nobody has heard of `failure` yet: a supervised task that can be joined.
  bool terminates = false;  ///< spawn_detached: a failure nobody handles ends the process.
  bool holds_call = true;   ///< The root still has its callable and arguments.

  // Any thread.
  parking_word word;
  spin_lock tree_lock;

  // Written by the task, read by whoever makes a report: relaxed, each for itself.
  std::atomic<const char*> waits{nullptr};  ///< What it waits for; null while it runs.
  std::atomic<std::source_location> where;  ///< The await that it stands at, or stood at last.

  // Constant after construction.
  runtime_state* runtime = nullptr;
  task_group* group = nullptr;

  // Any thread.
  /// 0 running | joined_done | joined_detached | task_ctl* of the task that waits | parker* + 1.
  atomic<std::uintptr_t> join{0};

  // Whoever owns the task.
  cancel_scope* scopes = nullptr;
  /// The task's own scope: what join_handle::cancel() triggers.
  cancel_scope own;
  binding* bindings = nullptr;  ///< Values of task variables, innermost first; see binding.hpp.

  // Under the lock of `group`.
  task_ctl* previous_sibling = nullptr;
  task_ctl* next_sibling = nullptr;

  // Under tree_lock: the groups this task has open, innermost first.
  task_group* groups = nullptr;

  // Constant after construction.
  const root_type* type = nullptr;
  std::uint64_t id = 0;
  std::uint64_t parent_id = 0;
  std::atomic<std::source_location> place;  ///< The coroutine that was spawned; for reports.

  // As `where`.
  std::atomic<const char*> name{nullptr};  ///< What it called itself.

  // The task itself; whoever holds its handle once it has ended.
  std::exception_ptr failure;
  failure_sink* sink = nullptr;  ///< Who hears of `failure` if nobody joins; counted.

  static constexpr std::uintptr_t joined_done = 2;
  static constexpr std::uintptr_t joined_detached = 4;
};

inline void task_list::push(task_ctl& task) noexcept {
  task.next = nullptr;
  (last != nullptr ? last->next : first) = &task;
  last = &task;
  ++count;
}

inline task_ctl* task_list::pop() noexcept {
  task_ctl* task = first;
  if (task == nullptr) return nullptr;
  first = task->next;
  if (first == nullptr) last = nullptr;
  --count;
  return task;
}

}  // namespace cove::detail
