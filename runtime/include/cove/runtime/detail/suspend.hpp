#pragma once

#include <cove/runtime/detail/cancel.hpp>

#include <concepts>

// The door between an awaiting coroutine and the worker that drives its operation.

#if defined(__clang__)
// Clang makes every symmetric transfer a tail call, at every level and under its sanitizers.
#define COVE_FLAT_TRANSFERS 1
#else
#define COVE_FLAT_TRANSFERS 0
#endif

namespace cove::detail {

/// Ready operations a task may complete before it gives way to others.
inline constexpr std::int16_t ready_budget = 128;
/// Transfers between frames before the stack is unwound, where a transfer may cost stack.
inline constexpr std::int16_t hop_budget = 64;

/// What a cove task can await: library types only. Anything else would be resumed by a stranger, on
/// a thread that is no worker.
template <class A>
concept library_awaitable = std::derived_from<std::remove_cvref_t<A>, awaitable_base>;

/// Drives `op` and parks the task. False: its result is final, the coroutine goes on at once. True:
/// the task is published and nothing of it may be touched any more, so a caller ends in
/// `return suspend(...)`. Out of line: compilers must not keep anything of the frame in use.
[[gnu::noinline]] bool suspend(task_ctl& task, operation& op,
                               std::coroutine_handle<> leaf) noexcept;

/// Lets `first` run and then `task`, which looks again how `op` stands, if that is cheaper than to
/// wait for it: `first` is the next to run here. False: it is not; nothing was done. True: as
/// suspend().
[[gnu::noinline]] bool run_before(task_ctl& first, task_ctl& task, operation& op,
                                  std::coroutine_handle<> leaf) noexcept;

/// Gives way: the task goes behind all that is runnable. Same rule for the caller.
[[gnu::noinline]] void suspend_yield(task_ctl& task, std::coroutine_handle<> leaf) noexcept;

/// Any thread: a task that the caller owns (a completion or claim said so) may go on. It runs next
/// on this worker if `next`, else behind what is there.
void make_ready(task_ctl& task, bool next) noexcept;
/// The same for the tasks that a trigger() claimed.
void make_ready(task_list& tasks) noexcept;

/// Resumes `to` from the worker's loop, on an empty stack.
std::coroutine_handle<> bounce(task_ctl& task, std::coroutine_handle<> to) noexcept;

/// The way from one frame of a task to another.
inline std::coroutine_handle<> transfer(task_ctl& task, std::coroutine_handle<> to) noexcept {
#if COVE_FLAT_TRANSFERS
  (void)task;
  return to;
#else
  if (--task.hops > 0) [[likely]]
    return to;
  return bounce(task, to);
#endif
}

/// Throws what a request means to who awaits: canceled, or error with deadline_exceeded or closed.
[[noreturn]] void throw_stopped(stop_reason why, const char* operation_name);

/// The task that the calling thread runs, or nullptr.
task_ctl* current_task() noexcept;

}  // namespace cove::detail
