#pragma once

#include <cove/runtime/detail/channel_core.hpp>
#include <cove/runtime/result.hpp>

#include <optional>

namespace cove {

/// How a send ended that does not throw: it was sent, or here is the value again.
template <class T>
class [[nodiscard]] send_result {
 public:
  send_result() noexcept = default;
  send_result(std::error_code why, T unsent) noexcept : error_(why), unsent_(std::move(unsent)) {}

  /// True if it was sent.
  explicit operator bool() const noexcept { return !error_; }
  /// Why it was not sent; a zero code if it was.
  std::error_code error() const noexcept { return error_; }
  /// The value that was not sent. Only where there is an error.
  T& unsent() & noexcept { return expect(), *unsent_; }
  T&& unsent() && noexcept { return expect(), std::move(*unsent_); }

 private:
  void expect() const noexcept { COVE_ASSERT(unsent_.has_value()); }

  std::error_code error_;
  std::optional<T> unsent_;
};

namespace detail {

template <class T>
class channel_send_result;

/// `co_await channel.send(value)`.
template <class T>
class [[nodiscard]] channel_send : public channel_wait {
 public:
  channel_send(channel_core& on, T&& value) noexcept
      : channel_wait(on, side::sends, &own_, "send"), own_(std::move(value)) {}
  /// Before its start only.
  channel_send(channel_send&& other) noexcept
      : channel_wait(static_cast<channel_wait&&>(other), &own_),
        own_(std::move(other.own_.value)) {}
  ~channel_send() {
    if (!moved()) own_.value.~T();
  }

  void await_resume() { check_sent(); }

  /// Gives a send_result, with the value if it was not sent, and does not throw.
  auto as_result() && noexcept { return channel_send_result<T>(std::move(*this)); }

  send_result<T> report() noexcept {
    if (moved()) return {};
    return {error(), std::move(own_.value)};
  }

 private:
  element_slot<T> own_;  ///< Full until it was moved.
};

template <class T>
class [[nodiscard]] channel_send_result : public channel_send<T> {
 public:
  explicit channel_send_result(channel_send<T>&& from) noexcept
      : channel_send<T>(std::move(from)) {}

  send_result<T> await_resume() noexcept { return this->report(); }
};

/// `co_await channel.receive()`.
template <class T>
class [[nodiscard]] channel_receive : public channel_wait {
 public:
  explicit channel_receive(channel_core& from) noexcept
      : channel_wait(from, side::receives, &own_, "receive") {}
  /// Before its start only.
  channel_receive(channel_receive&& other) noexcept : channel_wait(std::move(other), &own_) {}
  ~channel_receive() {
    if (moved()) own_.value.~T();
  }

  std::optional<T> await_resume() {
    check_granted();
    return take();
  }

  /// Gives a result with the optional, and does not throw.
  auto as_result() && noexcept { return result_of<channel_receive>(std::move(*this)); }

  std::optional<T> take() noexcept {
    if (!moved()) return std::nullopt;
    return std::optional<T>(std::move(own_.value));
  }

 private:
  element_slot<T> own_;  ///< Full once it was moved.
};

}  // namespace detail

/// A queue between tasks, and between tasks and threads, that holds up to `capacity` values: any
/// number of senders, any number of receivers, each value to one of them, in the order of sending.
///
///     cove::channel<job> jobs(100);
///     ...
///     co_await jobs.send(std::move(next));                  // waits while it is full
///     ...
///     while (auto each = co_await jobs.receive()) work(*each);   // until it has ended
///
/// Capacity 0 is a rendezvous: a send ends when its value was received. A value goes straight from
/// the frame of who sends to that of who receives, where one waits for the other.
///
/// `T` moves without throwing and may be move-only; it need not be default-constructible. Values
/// are moved under the channel's lock, so a move must not use the channel.
///
/// Threads:  every function may be called by any thread, send() and receive() by tasks.
/// Lifetime: must outlive who waits in it, until their awaits have ended. A task that it has woken
///           may destroy it although the call that woke it has not returned.
template <class T>
class channel {
  static_assert(std::is_same_v<T, std::remove_cvref_t<T>>, "a channel carries plain values");
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                "a value must move without throwing, or it could be lost on its way; send "
                "std::unique_ptr<T> instead");

 public:
  using value_type = T;

  /// Units: values. 0 is a rendezvous. Throws std::bad_alloc.
  explicit channel(std::size_t capacity)
      : slots_(element, capacity), core_(element, slots_.data(), capacity) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  /// Waits until there is room for `value`, or a receiver. (With GCC 12 name an aggregate before:
  /// it destroys one that is made inside of a co_await expression twice.)
  /// Errors:       closed, also if it is closed meanwhile; canceled or deadline_exceeded. In all
  ///               cases the value was not sent: `send(value).as_result()` gives it back.
  /// Cancellation: as above; a value that was already taken counts as sent.
  detail::channel_send<T> send(T value) noexcept { return {core_, std::move(value)}; }

  /// Waits for a value. Nothing (std::nullopt) is the end: closed, and all values received.
  /// Errors:       canceled or deadline_exceeded; `receive().as_result()` reports these in place of
  ///               a throw.
  /// Cancellation: no value is lost: one that has come for it already is what the await gives.
  detail::channel_receive<T> receive() noexcept { return detail::channel_receive<T>(core_); }

  /// Sends without waiting.
  /// Errors: closed; operation_would_block if there is neither room nor a receiver.
  send_result<T> try_send(T value) noexcept {
    detail::channel_send<T> attempt(core_, std::move(value));
    attempt.try_once();
    return attempt.report();
  }
  /// What can be received without waiting, else nothing: then ended() tells if more may come.
  std::optional<T> try_receive() noexcept {
    detail::channel_receive<T> attempt(core_);
    attempt.try_once();
    return attempt.take();
  }

  /// As send(), for a thread that is no worker. Blocks it.
  /// Errors: closed: the value was not sent; resource_deadlock_would_occur inside a task.
  void send_blocking(T value) {
    detail::channel_send<T> wait(core_, std::move(value));
    wait.wait_as_thread();
    wait.await_resume();
  }
  /// As receive(), for a thread that is no worker. Blocks it.
  /// Errors: resource_deadlock_would_occur inside a task.
  std::optional<T> receive_blocking() {
    detail::channel_receive<T> wait(core_);
    wait.wait_as_thread();
    return wait.await_resume();
  }

  /// Nothing more is sent: who waits to send gets closed, and its value back; receivers get what is
  /// there, then the end. A second close does nothing.
  void close() noexcept { core_.close(); }
  bool closed() const noexcept { return core_.closed(); }
  /// Closed, and all values received. Once true it stays so.
  bool ended() const noexcept { return core_.ended(); }

  /// How many values are there at the moment, not counting those whose senders wait.
  std::size_t size() const noexcept { return core_.size(); }
  std::size_t capacity() const noexcept { return core_.capacity(); }

 private:
  static constexpr const detail::element_type& element = detail::element_of<T>;

  detail::slot_array slots_;
  detail::channel_core core_;
};

}  // namespace cove
