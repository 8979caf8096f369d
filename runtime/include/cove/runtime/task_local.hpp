#pragma once

#include <cove/runtime/detail/binding.hpp>

namespace cove {

template <class T>
class task_local;

namespace detail {

COVE_COROUTINE_TEMPLATES_BEGIN
template <class T, class A>
task<awaited_t<A>> run_with_local(const task_local<T>* variable, T value, A operation) {
  const open_binding bound(variable, &value);
  co_return co_await std::move(operation);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// A variable with a value of its own in each task that gave it one: what thread_local is to
/// threads, for a task goes on in whichever thread is free.
///
///     inline cove::task_local<parser_state> state;
///
///     co_await state.with(parser_state(options), parse(peer));
///     ...
///     if (parser_state* mine = state.get()) ++mine->depth;   // anywhere inside parse()
///
/// A value lasts for one await, and everything that this runs in the same task sees it: children
/// that it awaits, limits, shields, generators that it asks. Tasks that it spawns do not (see
/// task_inherited). There is no form that sets a value for the rest of a block: a generator could
/// leave it behind with a task that it no longer runs in.
///
/// Threads:  every task sees its own values; outside of a task there are none.
/// Lifetime: the variable itself must outlive its values; at namespace scope, as a rule.
template <class T>
class task_local {
  static_assert(std::is_object_v<T>, "a task variable holds an object");

 public:
  constexpr task_local() noexcept = default;
  task_local(const task_local&) = delete;
  task_local& operator=(const task_local&) = delete;

  /// Awaits `operation` (a task, a join handle or an operation of the library) with this value; the
  /// innermost one counts. The value is destroyed when that has ended.
  ///
  /// Errors, Cancellation: those of the operation.
  template <class A>
  auto with(T value, A operation) const -> task<detail::awaited_t<A>> {
    return detail::run_with_local<T, A>(this, std::move(value), std::move(operation));
  }

  /// The value where the task stands; null if it has none.
  T* get() const noexcept { return static_cast<T*>(detail::local_value(this)); }
};

}  // namespace cove
