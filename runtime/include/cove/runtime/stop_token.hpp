#pragma once

#include <cove/runtime/detail/awaited.hpp>
#include <cove/runtime/detail/open_scope.hpp>

#include <stop_token>

// A header of its own, in none other: <stop_token> is dear, and within cove requests need none.

namespace cove {

namespace detail {

/// A cancel scope that a stop token triggers.
class stop_scope {
 public:
  explicit stop_scope(std::stop_token token) : callback_(std::move(token), request{this}) {}
  stop_scope(const stop_scope&) = delete;
  stop_scope& operator=(const stop_scope&) = delete;

 private:
  struct request {
    stop_scope* asked;
    void operator()() const noexcept {
      task_list woken;
      trigger(asked->scope_.link(), stop_reason::canceled, woken);
      make_ready(woken);
    }
  };

  open_scope scope_{open_scope::kind::plain};
  // Goes first, and waits for a call that is under way: afterwards nobody triggers the scope.
  std::stop_callback<request> callback_;
};

COVE_COROUTINE_TEMPLATES_BEGIN
template <class A>
task<awaited_t<A>> run_until_stopped(std::stop_token token, A operation) {
  const stop_scope asked(std::move(token));
  co_return co_await std::move(operation);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Awaits `operation` (a task, a join handle or an operation of the library) and asks it to end
/// when `token` is asked to stop: for programs whose other parts speak std::stop_token.
///
///     co_await cove::cancel_on(thread.get_stop_token(), serve_requests());
///
/// It runs in the same task and is always waited for; a result that it reaches anyway wins. What
/// stands outside of cancel_on is not asked.
///
/// Errors:       those of the operation; canceled for an await that was broken off.
///               `cancel_on(token, op.as_result())` reports that without a throw.
/// Cancellation: passes to the operation.
/// Threads:      request_stop() may be called by any thread, also by the operation itself.
/// Lifetime:     the operation is moved in; what it refers to must outlive the await.
template <class A>
auto cancel_on(std::stop_token token, A operation) -> task<detail::awaited_t<A>> {
  return detail::run_until_stopped<A>(std::move(token), std::move(operation));
}

}  // namespace cove
