#pragma once

#include <cove/runtime/detail/coroutine_templates.hpp>
#include <cove/runtime/spawn.hpp>

// What can be handed to a function that awaits it for its caller: a task, a join handle, or an
// operation of the library.

namespace cove::detail {

template <class A>
struct awaited_value {};
template <library_awaitable A>
struct awaited_value<A> {
  using type = decltype(std::declval<A&>().await_resume());
};
template <class T>
struct awaited_value<task<T>> {
  using type = T;
};
template <class T>
struct awaited_value<join_handle<T>> {
  using type = T;
};

/// What `co_await` of an A gives.
template <class A>
using awaited_t = typename awaited_value<A>::type;

COVE_COROUTINE_TEMPLATES_BEGIN
/// The operation as a task of its own coroutine.
template <class A>
task<awaited_t<A>> as_task(A operation) {
  co_return co_await std::move(operation);
}
COVE_COROUTINE_TEMPLATES_END

template <class T>
task<T> as_task(task<T> already) {
  return already;
}

}  // namespace cove::detail
