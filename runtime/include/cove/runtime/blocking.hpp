#pragma once

#include <cove/runtime/detail/blocking_op.hpp>
#include <cove/runtime/spawn.hpp>

#include <system_error>
#include <tuple>

namespace cove {

namespace detail {

template <class F, class... Args>
class blocking_result;

/// `co_await blocking(...)`: the callable and its arguments, and what came of them.
template <class F, class... Args>
class [[nodiscard]] blocking_call : public blocking_op {
 public:
  using value = std::invoke_result_t<F, Args...>;
  static_assert(
      !requires { typename value::promise_type; },
      "blocking() is for functions that block; a coroutine is awaited as it is");

  template <class G, class... Given>
  explicit blocking_call(pool_lane lane, G&& f, Given&&... args)
      : blocking_op(moves, lane), f_(std::forward<G>(f)), args_(std::forward<Given>(args)...) {}
  /// Before its start only.
  blocking_call(blocking_call&& other) noexcept(
      std::is_nothrow_move_constructible_v<F> &&
      std::is_nothrow_move_constructible_v<std::tuple<Args...>>)
      : blocking_op(moves, other.lane_), f_(std::move(other.f_)), args_(std::move(other.args_)) {}

  value await_resume() {
    check_ended();
    return outcome_.take_value();
  }

  /// Gives a result, and throws neither what stopped it nor a std::system_error of the callable's.
  auto as_result() && { return blocking_result<F, Args...>(std::move(*this)); }

 private:
  /// On a thread of the pool.
  static void run(pool::job& which) noexcept {
    auto& self = static_cast<blocking_call&>(which);
    try {
      if constexpr (std::is_void_v<value>)
        std::apply(std::move(self.f_), std::move(self.args_));
      else
        self.outcome_.return_value(std::apply(std::move(self.f_), std::move(self.args_)));
    } catch (...) {
      self.failure_ = std::current_exception();
    }
  }

  static constexpr pool::job_type moves{run, hand_back};

  F f_;
  std::tuple<Args...> args_;
  returning<value> outcome_;
};

template <class F, class... Args>
class [[nodiscard]] blocking_result : public blocking_call<F, Args...> {
  using value = typename blocking_call<F, Args...>::value;

 public:
  explicit blocking_result(blocking_call<F, Args...>&& from)
      : blocking_call<F, Args...>(std::move(from)) {}

  result<value> await_resume() {
    if (const std::error_code code = this->refusal()) return code;
    try {
      if constexpr (std::is_void_v<value>) {
        blocking_call<F, Args...>::await_resume();
        return {};
      } else {
        return blocking_call<F, Args...>::await_resume();
      }
    } catch (const std::system_error& failure) {
      return failure.code();
    }
  }
};

}  // namespace detail

/// blocking() on the threads of one lane, which no other lane's calls hold up.
template <class F, class... Args>
  requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
[[nodiscard]] auto blocking(pool_lane lane, F&& f, Args&&... args) {
  return detail::blocking_call<std::decay_t<F>, std::decay_t<Args>...>(lane, std::forward<F>(f),
                                                                       std::forward<Args>(args)...);
}

/// Calls `f(args...)`, which may block, on a thread of the runtime's pool, and waits for it. Gives
/// what it returns, or throws what left it. No worker is held up meanwhile.
///
///     std::string text = co_await cove::blocking(read_whole_file, path);
///
/// The callable and its arguments are copied or moved into the operation, which is in the caller's
/// frame; they are used up by the call and go on the caller's side. References and pointers to what
/// the caller has stay good, because a call that has begun is waited for, whatever happens.
///
/// A lane has as many threads as calls that run at once, up to its limits; calls beyond wait for
/// their turn, in order. runtime_options::pool sets the limits, runtime::stats() says how it goes.
/// A call takes two changes of threads, so it is worth it for what takes longer than some 20 µs, or
/// may. Long computations are at home here, too.
///
/// Inside `f` there is no task: it cannot await, this_task, spawn and task variables do not work,
/// and cove::clock is the real one. It may use channels as a thread, and runtime::spawn; signals do
/// not interrupt it. If it waits for another call that is queued behind it, both may wait for ever.
///
/// Errors:       those of `f`, unchanged. canceled or deadline_exceeded if it was not called;
///               resource_unavailable_try_again if the pool has no thread and the system gives
///               none; device_or_resource_busy if the lane's queue is full and its options say
///               that it refuses then. as_result() gives these, and a std::system_error of f, in
///               place of a throw.
/// Cancellation: a call that waits for its turn is not made. One that has begun goes on to its end
///               and is waited for, and its outcome is that of the await, as if nobody had asked.
/// Threads:      awaited by tasks. `f` runs on another thread, after all that its caller did before
///               and before all that its caller does after.
/// Lifetime:     a runtime that ends waits for the calls that have begun; stop() with a limit
///               reports those that have not ended.
///
/// GCC 12 destroys twice what a lambda has captured if the lambda is written inside of the await,
/// unless that needs no destructor (references, numbers): name it first and move it in, or give the
/// values as arguments.
template <class F, class... Args>
  requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
[[nodiscard]] auto blocking(F&& f, Args&&... args) {
  return blocking(pool_lane::user, std::forward<F>(f), std::forward<Args>(args)...);
}

}  // namespace cove
