#pragma once

#include <cove/runtime/pool_options.hpp>
#include <cove/runtime/spawn.hpp>
#include <cove/runtime/stall.hpp>
#include <cove/runtime/time.hpp>

#include <string>

namespace cove {

namespace detail {
class virtual_run;
}
namespace sched {
class virtual_clock;
}

/// How a runtime is built. What is left alone is chosen for the machine.
struct runtime_options {
  /// Worker threads that run tasks at once. 0: COVE_WORKERS, else the CPUs this process may use: as
  /// many as its affinity mask has, but no more than it gets time for by the CPU quotas of its
  /// cgroups, rounded up (a container's limit of 2.5 CPUs: three workers).
  unsigned workers = 0;
  /// How the network is waited for: "epoll", "io_uring", "epoll-lt", "poll" or "select". Empty:
  /// COVE_BACKEND, else the platform's default, which is epoll. If the system refuses it, the
  /// default takes its place; the log and stats() say why.
  std::string backend;
  /// For logs and reports; empty: "runtime-N".
  std::string name;
  /// Stay awake for at most 50 µs before a sleep where that pays: the worker that waits for the
  /// network polls while traffic is live, and one that gave the only call to the pool waits for it
  /// while such calls come back soon. Has no effect where this process may use one CPU only, or has
  /// a CPU quota, which would pay for it.
  bool spin = true;
  /// The thread that watches over the workers: it takes the processor of one that blocks for
  /// another, and polls the network when all of them are busy in user code.
  bool sysmon = true;
  /// Threads that may be started beyond one for each worker, in place of those that block. They
  /// stay until the runtime ends.
  unsigned extra_threads = 256;
  /// A task that keeps its thread for longer than this without giving way is reported: see
  /// stall_report. 0: none is. Needs sysmon.
  std::chrono::milliseconds stall_after{100};
  /// Called for each stall, by sysmon, after the processors of threads that block were handed on.
  /// Must neither throw nor take long.
  void (*on_stall)(const stall_report& what, void* context) noexcept = nullptr;
  void* stall_context = nullptr;  ///< For on_stall.
  /// Stalls are reported with the thread's stack. The first real-time signal that the program does
  /// not use is sent to the thread for it, which ends some system calls early, with EINTR: poll,
  /// epoll_wait, nanosleep; signal(7) lists them. `addr2line -Cfie MODULE 0xOFFSET` says more of
  /// each line.
  bool stall_stacks = false;
  /// The pool's threads and queues, lane by lane; see blocking().
  pool_options pool;
  /// Called instead of std::terminate when an exception leaves a task of spawn_detached. Must not
  /// throw.
  void (*on_detached_failure)(std::exception_ptr failure) noexcept = nullptr;

  /// For tests of cove itself.
  struct tuning {
    unsigned ring_slots = 256;     ///< 1..256: tasks a worker's queue holds.
    unsigned entry_without_p = 0;  ///< One in n entries into the runtime finds no processor.
    bool retake_at_once = false;   ///< sysmon takes each processor it can, without a pause.
  } tuning;
};

/// What a runtime has been doing. Counters are read while workers go on: each is right for some
/// moment during the call.
struct runtime_stats {
  std::string name;
  std::string backend;
  std::string backend_reason;   ///< "default", "option" or "COVE_BACKEND", and what was refused.
  unsigned workers = 0;         ///< Processors: tasks that can run at once.
  unsigned threads = 0;         ///< Worker threads started so far.
  unsigned threads_lost = 0;    ///< Those of them that block, or did, and have no processor.
  std::uint64_t hand_offs = 0;  ///< Processors taken from threads that blocked.
  /// Looks at a thread that blocked, with no other one for its processor: the log says why.
  std::uint64_t hand_offs_missed = 0;
  std::uint64_t stalls = 0;  ///< Tasks that kept their thread for too long; see stall_report.
  bool spin = false;
  std::uint64_t tasks_spawned = 0;
  std::uint64_t tasks_live = 0;
  std::uint64_t task_runs = 0;  ///< Times a worker took a task from a queue.
  std::uint64_t tasks_queued = 0;
  std::uint64_t steals = 0;       ///< Batches taken from another worker's queue.
  std::uint64_t parks = 0;        ///< Times a worker thread was put to sleep and woken again.
  std::uint64_t wakes = 0;        ///< Sleeping workers that were handed work.
  std::uint64_t polls = 0;        ///< Times the network was asked.
  std::uint64_t timers = 0;       ///< Timers set.
  std::uint64_t descriptors = 0;  ///< Descriptors watched.
  pool_stats pool;                ///< Calls of blocking(), and what files and names cost.
};

/// Several lines for people.
std::string to_string(const runtime_stats& stats);

/// A scheduler with its workers, netpoller and tasks. Several may live in one process.
///
/// Threads:  every function may be called by any thread but one that is a worker, unless it says
///           otherwise.
/// Lifetime: destroying it is stop() without a limit; see there. A child made by fork() has none of
///           its threads: it must neither use nor destroy it, and may make another one.
class runtime {
 public:
  /// Errors: error if an option or environment variable makes no sense (it is named), or if the
  /// system gives no poller.
  explicit runtime(runtime_options options = {});
  /// Stops, repeats the report of what has not ended, and waits for it.
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Starts `f(args...)` as a task; see cove::spawn. Any thread, tasks included.
  template <class F, class... Args>
    requires detail::spawnable<F, Args...>
  join_handle<detail::spawned_value<F, Args...>> spawn(F&& f, Args&&... args) {
    return detail::spawn_into(root_group(), false, std::forward<F>(f), std::forward<Args>(args)...);
  }

  /// Runs `f(args...)` as a task and waits for it on the calling thread; gives its value or throws
  /// what left it.
  /// Errors: error with resource_deadlock_would_occur inside a task: await instead.
  template <class F, class... Args>
    requires detail::spawnable<F, Args...>
  detail::spawned_value<F, Args...> block_on(F&& f, Args&&... args) {
    refuse_inside_task();
    auto handle = spawn(std::forward<F>(f), std::forward<Args>(args)...);
    return wait(std::move(handle));
  }

  /// Waits for a task on the calling thread; gives its value or throws what left it.
  /// Errors: as block_on.
  template <class T>
  T wait(join_handle<T> handle) {
    return wait_for_root(handle);
  }

  /// Ends every task: asks all of them, once, to end by cancellation, takes no new ones, and waits
  /// until they have ended or `limit` has passed. What is left then is reported to the log by name
  /// and place. True if all ended.
  template <class Rep, class Period>
  bool stop(std::chrono::duration<Rep, Period> limit) {
    refuse_inside_task();
    return stop_within(detail::saturated_ns(limit));
  }
  bool stop() {
    refuse_inside_task();
    return stop_within(INT64_MAX);
  }

  /// The tasks that have not ended, one a line: number, name, place, and what each waits for. Then
  /// how many calls run on each lane of the pool and wait for a thread, if there are any.
  std::string report() const;

  /// What it has been doing; see runtime_stats. Tasks included.
  runtime_stats stats() const;
  /// The name from the options, or the one it was given.
  const std::string& name() const noexcept;
  /// The backend in use: "epoll" and the like, see runtime_options::backend.
  std::string_view backend() const noexcept;
  /// Why that one: "default", "option" or "COVE_BACKEND", and what was refused. As long as the
  /// runtime.
  std::string_view backend_reason() const noexcept;

  /// The runtime of the task that runs, or nullptr.
  static runtime* current() noexcept;

  /// Not for users.
  detail::runtime_state& state() noexcept { return *state_; }

 private:
  friend class detail::virtual_run;

  /// Under virtual time, if `clock` is not null; see test::run.
  runtime(runtime_options options, sched::virtual_clock* clock);

  detail::task_group& root_group() noexcept;
  void request_stop() noexcept;
  bool stop_within(std::int64_t limit_ns);
  static void refuse_inside_task();
  static void block_thread(detail::task_ctl& task);

  template <class T>
  static T wait_for_root(join_handle<T>& handle);

  detail::runtime_state* state_;
};

namespace detail {

/// run() without the templates: the exit code of a program whose main task is `start(runtime)`.
struct main_task {
  virtual int run(runtime& in) = 0;

 protected:
  ~main_task() = default;
};
int run_main(runtime_options options, main_task& task) noexcept;

template <class F, class... Args>
struct main_call final : main_task {
  explicit main_call(F chosen, Args... given) : f(std::move(chosen)), args(std::move(given)...) {}
  int run(runtime& in) override {
    return std::apply(
        [&](Args&... a) {
          using value = spawned_value<F, Args...>;
          if constexpr (std::is_void_v<value>) {
            in.block_on(std::move(f), std::move(a)...);
            return 0;
          } else {
            static_assert(std::is_convertible_v<value, int>, "main task: task<> or task<int>");
            return static_cast<int>(in.block_on(std::move(f), std::move(a)...));
          }
        },
        args);
  }
  F f;
  std::tuple<Args...> args;
};

}  // namespace detail

/// Runs a program: makes a runtime, runs `f(args...)` on it as the main task, stops the runtime
/// when that has ended (other tasks are cancelled and get five seconds) and gives the exit code:
/// what a task<int> returns, 0 for task<>, 1 for an exception, which is printed.
///
///     int main() { return cove::run(serve, "127.0.0.1:9000"); }
///
/// If tasks are left after the five seconds they are reported and the process ends at once with the
/// code.
template <class F, class... Args>
  requires detail::spawnable<F, Args...>
int run(F&& f, Args&&... args) {
  detail::main_call<std::decay_t<F>, std::decay_t<Args>...> call(std::forward<F>(f),
                                                                 std::forward<Args>(args)...);
  return detail::run_main({}, call);
}

/// run() with chosen options.
template <class F, class... Args>
  requires detail::spawnable<F, Args...>
int run_with(runtime_options options, F&& f, Args&&... args) {
  detail::main_call<std::decay_t<F>, std::decay_t<Args>...> call(std::forward<F>(f),
                                                                 std::forward<Args>(args)...);
  return detail::run_main(std::move(options), call);
}

template <class T>
T runtime::wait_for_root(join_handle<T>& handle) {
  refuse_inside_task();
  detail::root<T>* root = handle.root();
  if (root == nullptr)
    detail::throw_error(std::make_error_code(std::errc::operation_canceled), "wait");
  block_thread(*root);
  return root->take();
}

}  // namespace cove
