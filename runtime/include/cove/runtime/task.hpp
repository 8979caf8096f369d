#pragma once

#include <cove/runtime/detail/promise.hpp>
#include <cove/runtime/result.hpp>

namespace cove {

namespace detail {

template <class T>
struct task_promise;
template <class T>
class child_awaiter;
template <class T>
class child_result_awaiter;
template <class T>
class root_body;

}  // namespace detail

/// A coroutine that yields a `T` (a value, a reference, or nothing) to the one task that awaits it.
///
///     cove::task<std::size_t> echo(cove::net::tcp_stream& peer, std::span<std::byte> buffer) {
///       std::size_t n = co_await peer.read_some(buffer);
///       co_await peer.write_all(buffer.first(n));
///       co_return n;
///     }
///
/// Lazy: it starts when it is awaited, and runs as part of the awaiting task, so awaiting it costs
/// a transfer between frames and nothing else. To run something beside the awaiting task, spawn it.
/// An exception that leaves the coroutine leaves the `co_await`.
///
/// Cancellation: a request reaches the innermost operation that the task awaits.
/// Threads:      the object may be handed from thread to thread; a task itself goes on in whichever
///               worker is free, so hold nothing thread-local across an await.
/// Lifetime:     parameters by value live in the coroutine; references must outlive the await. Give
///               a capturing lambda to spawn or name it: one that is gone before its coroutine ends
///               leaves dangling captures.
template <class T = void>
class [[nodiscard]] task {
 public:
  using promise_type = detail::task_promise<T>;
  using value_type = T;

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  /// A task that was never awaited never ran.
  ~task() {
    if (frame_) frame_.destroy();
  }

  /// Awaits the task without throwing what the system reports: a `result<T>` with the value, or
  /// with the code of the `std::system_error` that left the coroutine. Every other exception is
  /// rethrown.
  auto as_result() && noexcept { return detail::child_result_awaiter<T>(std::move(*this)); }

  /// False once it was moved from.
  bool valid() const noexcept { return static_cast<bool>(frame_); }

  /// The coroutine this is: function, file and line.
  std::source_location place() const noexcept { return frame_.promise().place_; }

 private:
  friend promise_type;
  friend class detail::child_awaiter<T>;
  friend class detail::child_result_awaiter<T>;
  friend class detail::root_body<T>;
  friend class detail::promise_base;

  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

/// The outermost coroutine of a task has come to its end; the worker does the rest from its loop.
void body_ended(task_ctl& task) noexcept;

struct final_awaiter {
  bool await_ready() noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
    promise_base& promise = self.promise();
    if (promise.continuation_) [[likely]]
      return transfer(*promise.ctl_, promise.continuation_);
    body_ended(*promise.ctl_);
    return std::noop_coroutine();
  }
  void await_resume() noexcept {}
};

template <class T>
struct task_promise : promise_base, returning<T> {
  task<T> get_return_object(std::source_location where = std::source_location::current()) noexcept {
    place_ = where;
    return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
  }
  final_awaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { failure_ = std::current_exception(); }

  T take() {
    if (failure_) std::rethrow_exception(std::move(failure_));
    return this->take_value();
  }

  std::exception_ptr failure_;
};

/// Awaiting a child: its frame becomes the leaf of the task.
template <class T>
class child_awaiter {
 public:
  explicit child_awaiter(std::coroutine_handle<task_promise<T>> child) noexcept : child_(child) {}
  child_awaiter(child_awaiter&&) = delete;

  bool await_ready() noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) noexcept {
    promise_base& child = child_.promise();
    child.ctl_ = parent.promise().ctl_;
    child.continuation_ = parent;
    return transfer(*child.ctl_, child_);
  }
  T await_resume() { return child_.promise().take(); }

 private:
  std::coroutine_handle<task_promise<T>> child_;
};

template <class T>
class child_result_awaiter : public awaitable_base {
 public:
  explicit child_result_awaiter(task<T> child) noexcept : child_(std::move(child)) {}
  /// Before its start only.
  child_result_awaiter(child_result_awaiter&& other) noexcept = default;

  bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    promise_base& child = child_.frame_.promise();
    child.ctl_ = task_;
    child.continuation_ = parent;
    return transfer(*task_, child_.frame_);
  }
  result<T> await_resume() {
    try {
      if constexpr (std::is_void_v<T>) {
        take();
        return {};
      } else {
        return take();
      }
    } catch (const std::system_error& failure) {
      return failure.code();
    }
  }

 protected:
  T take() { return child_.frame_.promise().take(); }

 private:
  task<T> child_;
};

/// The outermost coroutine of a spawned task, in its root. Nobody awaits it: its continuation is
/// null, and so its end is the task's.
template <class T>
class root_body {
 public:
  root_body() noexcept = default;
  root_body(const root_body&) = delete;
  root_body& operator=(const root_body&) = delete;
  ~root_body() { reset(); }

  void adopt(task<T> body, task_ctl& control) noexcept {
    COVE_CHECK(body.frame_ && !body.frame_.done(),
               "spawned a task that was moved from, or awaited before");
    frame_ = std::exchange(body.frame_, nullptr);
    promise_base& promise = frame_.promise();
    promise.ctl_ = &control;
    control.place.store(promise.place_, std::memory_order_relaxed);
    control.where.store(promise.place_, std::memory_order_relaxed);
  }
  std::coroutine_handle<task_promise<T>> frame() const noexcept { return frame_; }
  void reset() noexcept {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }

 private:
  std::coroutine_handle<task_promise<T>> frame_;
};

template <class U>
auto promise_base::await_transform(task<U>&& child, std::source_location where) noexcept {
  COVE_CHECK(child.frame_ && !child.frame_.done(),
             "awaited a task that was moved from, or awaited before");
  ctl_->where.store(where, std::memory_order_relaxed);
  return child_awaiter<U>(child.frame_);
}

}  // namespace detail
}  // namespace cove
