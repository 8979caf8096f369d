#pragma once

#include <cove/runtime/scope.hpp>

namespace cove {

/// What a supervisor's handler is told of a task that failed.
struct task_failure {
  std::uint64_t id;            ///< The task's number.
  std::string_view name;       ///< Its name, or the function that was spawned.
  std::source_location place;  ///< The coroutine that was spawned.
  std::exception_ptr exception;
};

namespace detail {

task_failure make_task_failure(task_ctl& task, std::exception_ptr failure) noexcept;

template <class Handler>
struct handler_sink final : failure_sink {
  explicit handler_sink(Handler chosen) : handler(std::move(chosen)) {}
  void failed(task_ctl& task, std::exception_ptr failure) noexcept override {
    handler(make_task_failure(task, std::move(failure)));
  }
  Handler handler;
};

}  // namespace detail

/// The tasks of independent jobs; what with_supervisor hands to its body.
///
/// Threads:  spawn from the body and from tasks of the supervisor; cancel from anywhere inside it.
class supervisor : private detail::group_owner {
 public:
  /// For with_supervisor.
  explicit supervisor(detail::failure_sink* sink = nullptr) noexcept
      : group_owner(detail::task_group::policy::supervisor) {
    group_.sink = sink;
  }
  ~supervisor() {
    if (group_.sink != nullptr) group_.sink->release();
  }

  /// Starts `f(args...)` as a job of its own; see cove::spawn. It inherits deadlines and
  /// cancellation from where the supervisor stands. Its failure goes to whoever awaits the handle;
  /// once the handle is dropped it goes to the handler, by default the log. It ends that task
  /// alone.
  template <class F, class... Args>
    requires detail::spawnable<F, Args...>
  join_handle<detail::spawned_value<F, Args...>> spawn(F&& f, Args&&... args) {
    return detail::spawn_into(group_, false, std::forward<F>(f), std::forward<Args>(args)...);
  }

  /// Asks the body and all tasks of the supervisor to end.
  void cancel() noexcept { detail::cancel_group(group_); }

 private:
  template <class Owner, class F>
  friend auto detail::run_group(Owner& owner, F& body) -> std::invoke_result_t<F&, Owner&>;
};

COVE_COROUTINE_TEMPLATES_BEGIN
/// Runs `body(supervisor&)`, a coroutine that may spawn independent jobs, and ends when the body
/// and all jobs have ended. A failure of the body cancels the jobs and is thrown here.
///
/// Errors, Cancellation, Lifetime: as with_scope, but for failures of jobs, which are logged.
template <class F>
  requires detail::is_task<std::invoke_result_t<F&, supervisor&>>::value
auto with_supervisor(F body) -> std::invoke_result_t<F&, supervisor&> {
  supervisor jobs;
  co_return co_await detail::run_group(jobs, body);
}

/// As above, with failures of jobs given to `handler(const task_failure&)` instead of the log. The
/// handler runs on the worker that ran the job, must not throw, and may be called after the
/// supervisor ended if a join handle outlives it: let it own what it uses.
template <class F, class Handler>
  requires detail::is_task<std::invoke_result_t<F&, supervisor&>>::value
auto with_supervisor(F body, Handler handler) -> std::invoke_result_t<F&, supervisor&> {
  supervisor jobs(new detail::handler_sink<Handler>(std::move(handler)));
  co_return co_await detail::run_group(jobs, body);
}

COVE_COROUTINE_TEMPLATES_END

}  // namespace cove
