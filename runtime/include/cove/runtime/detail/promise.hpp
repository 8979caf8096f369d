#pragma once

#include <cove/runtime/detail/frame_cache.hpp>
#include <cove/runtime/detail/suspend.hpp>

#include <exception>
#include <new>
#include <source_location>
#include <type_traits>
#include <utility>

namespace cove {
template <class T>
class task;
template <class T>
class join_handle;
}  // namespace cove

namespace cove::detail {

/// A library awaitable where it stands, for the compiler: GCC 12 would copy what await_transform
/// returns by reference.
template <class A>
class bound_awaiter {
 public:
  explicit bound_awaiter(A& which) noexcept : which_(which) {}
  bound_awaiter(bound_awaiter&&) = delete;

  bool await_ready() { return which_.await_ready(); }
  template <class Promise>
  auto await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return which_.await_suspend(self);
  }
  decltype(auto) await_resume() { return which_.await_resume(); }

 private:
  A& which_;
};

/// What every frame of a task has: who it belongs to and who waits for it.
class promise_base {
 public:
  static void* operator new(std::size_t bytes) { return frame_allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { frame_free(frame, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }

  /// Library awaitables are told which task awaits them; where it awaits is kept for reports.
  template <library_awaitable A>
  bound_awaiter<std::remove_reference_t<A>> await_transform(
      A&& awaitable, std::source_location where = std::source_location::current()) noexcept {
    awaitable.task_ = ctl_;
    ctl_->where.store(where, std::memory_order_relaxed);
    return bound_awaiter<std::remove_reference_t<A>>(awaitable);
  }
  template <class U>
  auto await_transform(task<U>&& child,
                       std::source_location where = std::source_location::current()) noexcept;

  template <class U>
  auto await_transform(join_handle<U>& handle,
                       std::source_location where = std::source_location::current()) noexcept;
  template <class U>
  auto await_transform(join_handle<U>&& handle,
                       std::source_location where = std::source_location::current()) noexcept;

  template <class A>
    requires(!library_awaitable<A>)
  void await_transform(A&&) = delete;  // A task awaits tasks and cove's own operations only.

  task_ctl* ctl_ = nullptr;
  std::coroutine_handle<> continuation_;
  std::source_location place_;
};

/// The result of a coroutine: nothing yet, a value, or an exception.
template <class T>
class outcome_slot {
  using stored = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>;

 public:
  outcome_slot() noexcept {}
  outcome_slot(const outcome_slot&) = delete;
  outcome_slot& operator=(const outcome_slot&) = delete;
  ~outcome_slot() {
    if (has_value_) value_.~stored();
  }

  template <class U>
  void emplace(U&& value) {
    if constexpr (std::is_reference_v<T>)
      ::new (static_cast<void*>(&value_)) stored(__builtin_addressof(value));
    else
      ::new (static_cast<void*>(&value_)) stored(std::forward<U>(value));
    has_value_ = true;
  }
  bool has_value() const noexcept { return has_value_; }
  T take() {
    if constexpr (std::is_reference_v<T>)
      return static_cast<T>(*value_);
    else
      return std::move(value_);
  }

 private:
  union {
    stored value_;
  };
  bool has_value_ = false;
};

/// return_value or return_void, over an outcome slot.
template <class T>
class returning {
 public:
  /// By value where that is cheap: a conversion is then the user's, not a warning in here.
  void return_value(T value) noexcept
    requires std::is_scalar_v<T>
  {
    slot_.emplace(value);
  }
  template <class U = T>
    requires(!std::is_scalar_v<T> && std::is_constructible_v<T, U &&>)
  void return_value(U&& value) {
    slot_.emplace(std::forward<U>(value));
  }
  T take_value() { return slot_.take(); }

 private:
  outcome_slot<T> slot_;
};
template <>
class returning<void> {
 public:
  void return_void() noexcept {}
  void take_value() noexcept {}
};

}  // namespace cove::detail
