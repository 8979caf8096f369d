#pragma once

#include <cove/runtime/task.hpp>

namespace cove {

template <class T>
class generator;

namespace detail {

template <class T>
class generator_next;
template <class T>
class generator_next_result;

template <class T>
struct generator_promise : promise_base {
  generator<T> get_return_object() noexcept;

  /// Gives control back to who asked for the item.
  struct handover {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(
        std::coroutine_handle<generator_promise> self) const noexcept {
      promise_base& promise = self.promise();
      return transfer(*promise.ctl_, promise.continuation_);
    }
    void await_resume() const noexcept {}
  };

  /// The item stands where the coroutine has it: a temporary lives until it goes on.
  handover yield_value(T& item) noexcept {
    item_ = __builtin_addressof(item);
    return {};
  }
  handover yield_value(T&& item) noexcept { return yield_value(item); }

  handover final_suspend() noexcept {
    item_ = nullptr;
    return {};
  }
  void return_void() noexcept {}
  void unhandled_exception() noexcept { failure_ = std::current_exception(); }

  T* item_ = nullptr;
  std::exception_ptr failure_;
};

}  // namespace detail

/// A coroutine that makes items one by one for the task that asks for them, and may await between.
///
///     cove::generator<std::string> lines(cove::net::tcp_stream& peer) {
///       ...
///       co_yield line;
///     }
///
///     auto each = lines(peer);
///     while (std::string* line = co_await each.next()) use(*line);
///
/// Lazy: nothing runs until the first item is asked for, and nothing between two items. It runs as
/// part of the task that asks, on its stack of frames; one that is destroyed early unwinds where it
/// stands, at its co_yield. On GCC 12 give co_yield a named object instead of an aggregate in
/// braces.
///
/// Cancellation: a request reaches what the generator awaits; it may clean up, yield or throw.
/// Threads:      one task at a time asks; not always the same one.
/// Lifetime:     parameters by value live in the coroutine; references must outlive it.
template <class T>
class [[nodiscard]] generator {
  static_assert(!std::is_reference_v<T> && !std::is_void_v<T>, "a generator makes objects");

 public:
  using promise_type = detail::generator_promise<T>;
  using value_type = T;

  generator(generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  generator& operator=(generator&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  ~generator() {
    if (frame_) frame_.destroy();
  }

  /// The next item, null after the last. The item may be changed or moved from, and lives until
  /// next() is called again or the generator goes.
  ///
  /// Errors:       what leaves the generator, once; afterwards it is at its end. as_result() gives
  ///               the code of a std::system_error in place of a throw.
  /// Cancellation: passes to what the generator awaits.
  detail::generator_next<T> next() noexcept { return detail::generator_next<T>(frame_); }

 private:
  friend promise_type;
  explicit generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
generator<T> generator_promise<T>::get_return_object() noexcept {
  return generator<T>(std::coroutine_handle<generator_promise>::from_promise(*this));
}

/// `co_await generator.next()`.
template <class T>
class [[nodiscard]] generator_next : public awaitable_base {
 public:
  explicit generator_next(std::coroutine_handle<generator_promise<T>> frame) noexcept
      : frame_(frame) {
    COVE_CHECK(frame, "asked a generator that was moved from for an item");
  }
  generator_next(generator_next&& other) noexcept = default;

  bool await_ready() const noexcept { return frame_.done(); }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> asking) noexcept {
    promise_base& made = frame_.promise();
    made.ctl_ = task_;
    made.continuation_ = asking;
    return transfer(*task_, frame_);
  }
  T* await_resume() {
    generator_promise<T>& made = frame_.promise();
    if (made.failure_) std::rethrow_exception(std::exchange(made.failure_, nullptr));
    return made.item_;
  }
  /// Gives a result<T*>, and throws only what is no std::system_error.
  auto as_result() && noexcept { return generator_next_result<T>(std::move(*this)); }

 private:
  std::coroutine_handle<generator_promise<T>> frame_;
};

template <class T>
class [[nodiscard]] generator_next_result : public generator_next<T> {
 public:
  explicit generator_next_result(generator_next<T>&& from) noexcept
      : generator_next<T>(std::move(from)) {}

  result<T*> await_resume() {
    try {
      return generator_next<T>::await_resume();
    } catch (const std::system_error& failure) {
      return failure.code();
    }
  }
};

}  // namespace detail
}  // namespace cove
