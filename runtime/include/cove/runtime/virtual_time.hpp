#pragma once

#include <cove/runtime/detail/idle_wait.hpp>
#include <cove/runtime/external_work.hpp>
#include <cove/runtime/runtime.hpp>

#include <stdexcept>

// For tests of programs that use cove; docs/testing.md shows how.

namespace cove::test {

/// How test::run_with runs. What is left alone suits most tests.
struct run_options {
  /// How much virtual time may pass: a task that wakes up again and again would keep a test that
  /// waits in vain alive for ever. Beyond it the run fails as if nothing were left.
  clock::duration limit = std::chrono::hours(24 * 366);
  /// Of the runtime. `workers` is 1, `spin` and `sysmon` are off.
  runtime_options runtime;
};

/// The run came to a point from which it cannot go on: no task can run, no timer is set, nothing
/// outside was announced, and the main task, or what it left behind, has not ended. what() lists
/// the tasks: what they are, where they were spawned, what they wait for.
class stuck : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace cove::test

namespace cove::detail {

/// test::run without the templates.
struct virtual_main {
  /// Starts the main task; called in a task.
  virtual task_ctl& start() = 0;

 protected:
  ~virtual_main() = default;
};
void run_virtually(test::run_options chosen, virtual_main& main);

template <class F, class... Args>
class virtual_call final : public virtual_main {
 public:
  using value = spawned_value<F, Args...>;

  template <class G, class... Given>
  explicit virtual_call(G&& f, Given&&... args)
      : call_(std::forward<G>(f), std::forward<Given>(args)...) {}

  task_ctl& start() override {
    handle_ = std::apply(
        [](F& f, Args&... args) { return spawn(std::move(f), std::move(args)...); }, call_);
    return *handle_.root();
  }
  value take() { return handle_.root()->take(); }

 private:
  std::tuple<F, Args...> call_;
  join_handle<value> handle_;
};

}  // namespace cove::detail

namespace cove::test {

/// Runs `f(args...)`, a test's main task, in a runtime of its own under virtual time, and gives its
/// value or throws what left it. When it has ended all other tasks are cancelled and waited for.
///
///     TEST_CASE("a session ends after a minute of silence") {
///       const auto took = cove::test::run([]() -> cove::task<cove::clock::duration> {
///         const auto start = cove::clock::now();
///         co_await session_without_input();
///         co_return cove::clock::now() - start;
///       });
///       CHECK(took == 60s);  // Exactly, and at once.
///     }
///
/// cove::clock stands still while a task can run, and jumps to the next timer when none can. What
/// sleeps, limits, deadlines and retries mean by time is this clock. There is one worker, so a run
/// repeats exactly, as far as the program itself does.
///
/// The network is real: bytes between two open sockets of the run arrive before time jumps; for
/// everything else that comes from outside, hold a cove::external_work meanwhile.
///
/// Errors:   stuck; resource_deadlock_would_occur inside a task; invalid_argument for more than one
///           worker; those of cove::runtime.
/// Threads:  any that is no worker; blocks it. Several runs may go on at once.
/// Lifetime: limits made outside of the tasks (with_timeout as an argument, say) count by the real
///           clock; make them inside. If tasks are left that even a cancellation does not end, they
///           are never resumed nor destroyed, and stuck says so.
template <class F, class... Args>
  requires detail::spawnable<F, Args...>
detail::spawned_value<F, Args...> run(F&& f, Args&&... args) {
  detail::virtual_call<std::decay_t<F>, std::decay_t<Args>...> main(std::forward<F>(f),
                                                                    std::forward<Args>(args)...);
  detail::run_virtually({}, main);
  return main.take();
}

/// run() with chosen options.
template <class F, class... Args>
  requires detail::spawnable<F, Args...>
detail::spawned_value<F, Args...> run_with(run_options chosen, F&& f, Args&&... args) {
  detail::virtual_call<std::decay_t<F>, std::decay_t<Args>...> main(std::forward<F>(f),
                                                                    std::forward<Args>(args)...);
  detail::run_virtually(std::move(chosen), main);
  return main.take();
}

/// Ends when no other task can go on and nothing outside was announced, without any time having
/// passed: what the others could do by themselves they have done.
///
///     queue.push(job);
///     co_await cove::test::until_idle();
///     CHECK(job.taken());  // Or it will never be.
///
/// Errors:       canceled or deadline_exceeded; operation_not_supported where time is real.
/// Cancellation: ends the wait at once.
[[nodiscard]] inline detail::idle_wait until_idle() noexcept { return {}; }

}  // namespace cove::test
