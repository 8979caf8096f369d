#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/awaited.hpp>
#include <cove/runtime/detail/wait_list.hpp>
#include <cove/runtime/scope.hpp>

// A line of jobs, of which the first runs.
//
// A place in the line is an object: its constructor takes it, its destructor gives it up, on
// whatever thread and whether or not the job ever ran. So jobs keep the order in which they were
// put on the strand, and not that in which their tasks happen to begin.
//
//   waiting  -> granted   it has become the first                            under lock_
//   granted  -> gone      its job has ended or never ran; the next is granted  under lock_
//   waiting  -> gone      it was given up                                    under lock_
//
// A task that arrives at its place before its turn parks, and whoever grants the turn wakes it. A
// task that was asked to end meanwhile leaves, and its place stays in line until it goes with the
// task's frame, which is at once.

namespace cove {

class strand;

namespace detail {

/// A place in the line of a strand.
class strand_place : public waiter, public pooled {
 public:
  /// Takes the last place; or, for a task that is on the strand already, stands where that is.
  explicit strand_place(strand& in, const task_ctl* by = nullptr) noexcept;
  strand_place(const strand_place&) = delete;
  strand_place& operator=(const strand_place&) = delete;
  ~strand_place();

  class arrival : public awaitable_base {
   public:
    explicit arrival(strand_place& at) noexcept : place_(at) {}
    arrival(arrival&&) = delete;
    bool await_ready() noexcept {
      place_.stopped = glance(*task_);
      return place_.stopped != stop_reason::none;
    }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
      --task_->budget;
      return suspend(*task_, place_, self);
    }
    void await_resume() const {
      if (place_.stopped != stop_reason::none) throw_stopped(place_.stopped, place_.name);
    }

   private:
    strand_place& place_;
  };
  /// Waits for its turn.
  arrival turn() noexcept { return arrival(*this); }

 private:
  friend class cove::strand;

  static bool advance(operation& op, task_ctl& task, sched::processor&) noexcept;
  static bool withdraw(operation& op, task_ctl&, sched::processor&) noexcept;
  static void refuse(operation& op, stop_reason why) noexcept;

  static const operation_type moves;

  strand& in_;
  const bool nested_;
};

/// A place that is handed to the task that will stand in it.
class held_place {
 public:
  explicit held_place(strand& in) : place_(new strand_place(in)) {}
  held_place(held_place&& other) noexcept : place_(std::exchange(other.place_, nullptr)) {}
  held_place& operator=(held_place&&) = delete;
  ~held_place() { delete place_; }

  strand_place& operator*() const noexcept { return *place_; }

 private:
  strand_place* place_;
};

template <class R>
struct job_result {
  using type = R;
};
template <class T>
struct job_result<task<T>> {
  using type = T;
};
/// What a job gives: that of the coroutine, or what a plain function returns.
template <class F, class... Args>
using job_value = typename job_result<std::invoke_result_t<F, Args...>>::type;

COVE_COROUTINE_TEMPLATES_BEGIN
/// Calls the job, at its turn.
template <class F, class... Args>
task<job_value<F, Args...>> run_job(strand_place& place, F& f, Args&... args) {
  co_await place.turn();
  if constexpr (is_task<std::invoke_result_t<F, Args...>>::value)
    co_return co_await std::move(f)(std::move(args)...);
  else
    co_return std::move(f)(std::move(args)...);
}

/// A job as a task of its own. The place is its first parameter, so that it goes last.
template <class F, class... Args>
task<job_value<F, Args...>> run_job_in(held_place place, F f, Args... args) {
  co_return co_await run_job<F, Args...>(*place, f, args...);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Runs jobs one after another, in the order in which they were put on it: for state that belongs
/// to nobody but them, as an actor's.
///
///     cove::strand line;
///     ...
///     line.spawn(append, std::move(entry));               // at its turn, in this order
///     auto size = co_await line.run([&] { return log.size(); });
///
/// A job is a coroutine function or a plain one. It has the strand from its first line to its end,
/// also while it awaits: no job sees what another left half done. (An Asio strand, Kotlin's
/// limitedParallelism(1) and Swift's actors let others in at each await.) So keep long waits out
/// of jobs, and do not wait in a job for another job of the same strand: that would be for ever.
///
/// A mutex is a lock that one may take again and again in the middle of something, and that whoever
/// runs may snatch. A strand is a line of whole jobs: strictly in order, none is passed, the place
/// is taken when the job is put on it, before its task begins.
///
/// A job that calls run() on its own strand runs that at once, as part of itself.
///
/// Threads:  every function may be called by any thread that may do so on the group it names; run()
///           by tasks.
/// Lifetime: must outlive its jobs. A job's task may destroy it once its last job has ended.
class strand {
 public:
  strand() noexcept = default;
  strand(const strand&) = delete;
  strand& operator=(const strand&) = delete;

  /// Runs `f(args...)` on the strand, as part of the task that awaits this, and gives its value.
  /// Its place in line is taken when this is awaited.
  ///
  /// Errors:       what leaves `f`.
  /// Cancellation: while it waits for its turn: the place is given up, `f` is never called and the
  ///               others move up. Afterwards it passes to what `f` awaits.
  /// Lifetime:     `f` and its arguments live in the await; on GCC 12 name a lambda that captures
  ///               by value before the co_await.
  template <class F, class... Args>
    requires std::is_invocable_v<F, Args...>
  task<detail::job_value<F, Args...>> run(F f, Args... args);

  /// Starts `f(args...)` on the strand as a task of its own under the runtime's supervisor; see
  /// cove::spawn. Its place in line is taken here.
  ///
  /// Errors:       as cove::spawn.
  /// Cancellation: of the handle, before its turn: `f` is never called and the others move up.
  template <class F, class... Args>
    requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
  auto spawn(F&& f, Args&&... args) {
    return cove::spawn(detail::run_job_in<std::decay_t<F>, std::decay_t<Args>...>,
                       detail::held_place(*this), std::forward<F>(f), std::forward<Args>(args)...);
  }

  /// The same as a task of `group`, a scope or supervisor, or, from any thread, a runtime.
  template <class Group, class F, class... Args>
    requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
  auto spawn_in(Group& group, F&& f, Args&&... args) {
    return group.spawn(detail::run_job_in<std::decay_t<F>, std::decay_t<Args>...>,
                       detail::held_place(*this), std::forward<F>(f), std::forward<Args>(args)...);
  }

  /// Is the task that asks running a job of this strand?
  bool running_in_this_task() const noexcept;

 private:
  friend class detail::strand_place;

  void enter(detail::strand_place& place) noexcept;
  void leave(detail::strand_place& place) noexcept;

  detail::spin_lock lock_;
  // Under lock_.
  bool busy_ = false;  ///< Somebody has the turn.
  detail::wait_list waiting_;
  // The task whose job runs. Written by that task alone; whoever else reads it only learns that it
  // is another one, hence relaxed.
  detail::atomic<const detail::task_ctl*> runs_{nullptr};
};

COVE_COROUTINE_TEMPLATES_BEGIN
template <class F, class... Args>
  requires std::is_invocable_v<F, Args...>
task<detail::job_value<F, Args...>> strand::run(F f, Args... args) {
  detail::strand_place place(*this, detail::current_task());
  co_return co_await detail::run_job<F, Args...>(place, f, args...);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace cove
