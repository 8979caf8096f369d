#pragma once

#include <cove/runtime/once.hpp>

#include <optional>

namespace cove {

/// A value that the first one who asks for it makes; the others wait for it.
///
///     cove::lazy<config> settings;
///     ...
///     const config& now = co_await settings.get(load);   // load(): a cove::task<config>
///
/// An attempt that fails or is cancelled makes nothing: the next one who waits tries.
///
/// Threads:  any number of tasks, on any workers; what they do with the value is theirs to order.
/// Lifetime: must outlive all calls and the references they gave.
template <class T>
class lazy {
 public:
  lazy() noexcept = default;
  lazy(const lazy&) = delete;
  lazy& operator=(const lazy&) = delete;

  /// The value; made by `make()`, a task, if nobody has made it yet.
  /// Errors:       what leaves `make()` goes to the one that ran it; canceled or deadline_exceeded.
  /// Cancellation: passes to `make()` in the one that runs it; ends the wait in the others.
  /// Lifetime:     as once::run().
  template <class F>
    requires detail::spawnable<F>
  task<T&> get(F make);

  /// The value if it has been made, else null.
  T* peek() noexcept { return made_.done() ? &*value_ : nullptr; }
  const T* peek() const noexcept { return made_.done() ? &*value_ : nullptr; }

 private:
  once made_;
  // Written by whoever has the turn of `made_`, constant once that is done.
  std::optional<T> value_;
};

COVE_COROUTINE_TEMPLATES_BEGIN
template <class T>
template <class F>
  requires detail::spawnable<F>
task<T&> lazy<T>::get(F make) {
  detail::once_turn turn = co_await detail::once_claim(made_);
  if (turn) {
    T value = co_await make();
    value_.emplace(std::move(value));
    turn.finish();
  }
  co_return *value_;
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace cove
