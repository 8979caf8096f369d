#pragma once

#include <cove/runtime/detail/awaited.hpp>
#include <cove/runtime/detail/open_scope.hpp>

namespace cove {

namespace detail {

COVE_COROUTINE_TEMPLATES_BEGIN
template <class A>
task<awaited_t<A>> run_shielded(A operation) {
  const open_scope shield(open_scope::kind::shield);
  co_return co_await std::move(operation);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Awaits `operation` (a task, a join handle or an operation of the library) out of reach of
/// requests and deadlines from outside: for what has to be finished once it has begun.
///
///     co_await cove::shield(say_goodbye(peer));
///
/// It runs in the same task, at once, even if that was asked to end before. A request or a deadline
/// that came meanwhile is seen by this_task::stop_requested() and by the next await outside.
/// Limits and groups that are opened inside work inside as ever, and tasks spawned into such a
/// group stand behind the shield, too.
///
/// Errors:       those of the operation. `shield(op.as_result())` reports without a throw.
/// Cancellation: not from outside, so give what may wait for ever a limit of its own inside:
///               `shield(with_timeout(op, 1s))`. A runtime that stops waits for it.
/// Lifetime:     the operation is moved in; what it refers to must outlive the await.
template <class A>
auto shield(A operation) -> task<detail::awaited_t<A>> {
  return detail::run_shielded<A>(std::move(operation));
}

/// The same for the end of a spawned task, through its handle: the waiting is shielded, the task is
/// not.
template <class T>
task<T> shield(join_handle<T>& handle) {
  return detail::run_shielded(detail::join_awaiter<T>(handle));
}

}  // namespace cove
