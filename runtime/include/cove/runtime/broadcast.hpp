#pragma once

#include <cove/runtime/detail/message_log.hpp>

#include <optional>

namespace cove {

/// What a receiver of a broadcast gets.
template <class T>
struct broadcast_message {
  broadcast_message(const T& from, std::uint64_t missed) : value(from), lost(missed) {}

  T value;
  /// How many messages right before this one came and went unread: the receiver was too slow.
  std::uint64_t lost;
};

namespace detail {

/// `co_await receiver.receive()`.
template <class T>
class [[nodiscard]] broadcast_receive : public log_wait {
 public:
  broadcast_receive(message_log& from, std::uint64_t& cursor) noexcept
      : log_wait(from, &cursor, "receive"), cursor_(&cursor) {}

  std::optional<broadcast_message<T>> await_resume() {
    check_granted();
    return take(found_);
  }

  /// Gives a result with the optional, and does not throw, unless copying the value does.
  auto as_result() && noexcept { return result_of<broadcast_receive>(std::move(*this)); }

  std::optional<broadcast_message<T>> take(const reading& got) {
    std::optional<broadcast_message<T>> message;
    if (got.what.get() == nullptr) return message;
    message.emplace(message_of<T>::in(got.what), got.number - *cursor_);
    *cursor_ = got.number + 1;  // Only now: a copy that throws can be tried again.
    return message;
  }

 private:
  std::uint64_t* cursor_;
};

}  // namespace detail

template <class T>
class broadcast;

/// Someone who hears a broadcast, from its place on.
///
/// Threads:  one thread, and one await, at a time. A copy goes on from the same place, on its own.
/// Lifetime: must not outlive the broadcast.
template <class T>
class broadcast_receiver {
 public:
  /// Waits for the next message. Nothing (std::nullopt) is the end: closed, and all received.
  /// Errors:       canceled or deadline_exceeded; `receive().as_result()` reports these in place of
  ///               a throw. What the copy of a value throws; that message comes again.
  /// Cancellation: no message is lost.
  detail::broadcast_receive<T> receive() noexcept { return {*from_, next_}; }

  /// The next message if there is one, else nothing.
  std::optional<broadcast_message<T>> try_receive() {
    return detail::broadcast_receive<T>(*from_, next_).take(from_->read(next_));
  }
  /// As receive(), for a thread that is no worker. Blocks it.
  /// Errors: resource_deadlock_would_occur inside a task.
  std::optional<broadcast_message<T>> receive_blocking() {
    detail::broadcast_receive<T> wait(*from_, next_);
    wait.wait_as_thread();
    return wait.await_resume();
  }

 private:
  friend class broadcast<T>;
  explicit broadcast_receiver(detail::message_log& from) noexcept
      : from_(&from), next_(from.end()) {}

  detail::message_log* from_;
  std::uint64_t next_;
};

/// Messages that each of any number of receivers gets.
///
///     cove::broadcast<event> events(64);
///     auto listener = events.subscribe();
///     ...
///     events.send(happened);                    // never waits
///     ...
///     while (auto each = co_await listener.receive()) {
///       if (each->lost != 0) start_over();      // it was more than 64 behind
///       apply(each->value);
///     }
///
/// Nobody who sends waits for a slow receiver: the last `capacity` messages are kept, and who comes
/// too late for one is told how many it has lost.
///
/// `T` can be copied: each receiver gets its own copy, made where it receives.
///
/// Threads:  every function may be called by any thread.
/// Lifetime: must outlive its receivers.
template <class T>
class broadcast {
 public:
  using value_type = T;

  /// Units: messages; 0 counts as 1. Throws std::bad_alloc.
  explicit broadcast(std::size_t capacity) : log_(capacity) {}

  /// A receiver of what is sent from now on.
  broadcast_receiver<T> subscribe() noexcept { return broadcast_receiver<T>(log_); }

  /// Sends to all who have subscribed.
  /// Errors: closed: nothing was sent; std::bad_alloc.
  void send(T value) {
    log_.publish(detail::message_ref(new detail::message_of<T>(std::move(value))));
  }

  /// Nothing more is sent: receivers get what is there, then the end.
  void close() noexcept { log_.close(); }
  bool closed() const noexcept { return log_.closed(); }

 private:
  detail::message_log log_;
};

}  // namespace cove
