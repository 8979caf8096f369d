#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/task_ctl.hpp>

#include <system_error>

namespace cove::detail {

/// What a scope and a supervisor are made of: the tasks that belong together, and the place in the
/// owner's chain where they stand.
struct task_group {
  enum class policy : std::uint8_t {
    scope,       ///< The first failure cancels the siblings and is kept for the owner.
    supervisor,  ///< A failure goes to the handler and ends its task alone.
  };

  explicit task_group(policy chosen) noexcept : kind(chosen) {}
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  // Constant once open.
  runtime_state* runtime = nullptr;
  policy kind;
  std::int64_t deadline_ns = never_ns;  ///< What the children inherit.
  failure_sink* sink = nullptr;         ///< supervisor: who hears of failures; null is the log.
  void (*on_empty)(task_group&) noexcept = nullptr;  ///< Called without the lock, once closed.

  cancel_scope scope;

  // Under the tree_lock of scope.owner.
  task_group* outer_group = nullptr;

  spin_lock lock;
  // Under lock.
  task_ctl* children = nullptr;
  std::size_t running = 0;
  task_ctl* waiter = nullptr;
  /// No further task is taken in. Set under lock; a spawner may read it before it takes the lock,
  /// so that spawning into what stops does not hold up those who end.
  atomic<bool> closed{false};
  std::exception_ptr failure;
  bool unwound = false;  ///< A child ended by a cancellation that was not its own.
};

/// Where failures of a supervisor's tasks go. Counted, because a failed task that somebody may
/// still join carries its sink with it.
struct failure_sink {
  virtual void failed(task_ctl& task, std::exception_ptr failure) noexcept = 0;

  void retain() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    // acq_rel: the last release sees all that other holders did before theirs.
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  virtual ~failure_sink() = default;

 private:
  atomic<unsigned> count_{1};
};

/// Owner: opens `scope` as the innermost of the task's chain. The caller has set its deadline.
void enter_scope(task_ctl& task, cancel_scope& scope) noexcept;
/// Owner: closes the innermost scope. A timer of it must have been removed before.
void leave_scope(task_ctl& task, cancel_scope& scope) noexcept;

/// Owner: opens a group; its scope becomes the innermost.
void enter_group(task_ctl& task, task_group& group) noexcept;
/// Owner: closes the innermost group, whose tasks have all ended.
void leave_group(task_ctl& task, task_group& group) noexcept;

/// Takes a new task into a group; false if the group is closed.
bool adopt(task_group& group, task_ctl& task) noexcept;
/// The task has ended: takes it out; its last access to the group. Gives the group's waiter if it
/// was the last one; the caller completes it.
task_ctl* disown(task_group& group, task_ctl& task) noexcept;

/// Any thread: asks everything inside `scope` to end for `why`. The first reason stays. Tasks that
/// have to be scheduled for it are added to `woken`.
void trigger(cancel_scope& scope, stop_reason why, task_list& woken) noexcept;

/// Any thread: sets the request bit of every task below `group`, whose scope was marked before.
void ask_all(task_group& group, task_list& woken) noexcept;

/// Owner: why the task must end, seen from where it stands; clears a request that has no reason
/// left. `none` if there is none.
stop_reason look(task_ctl& task) noexcept;

/// Owner: the reason of the chain alone, without touching the parking word.
stop_reason chain_reason(const task_ctl& task) noexcept;

/// Owner: look() if anything could be found, at the price of a load and a compare.
inline stop_reason glance(task_ctl& task) noexcept {
  if (task.word.asked() || task.deadline_ns != never_ns) return look(task);
  return stop_reason::none;
}

/// The error code that reports `why`.
std::error_code code_of(stop_reason why) noexcept;

}  // namespace cove::detail
