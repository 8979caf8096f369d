#pragma once

#include <cove/runtime/channel.hpp>
#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/pooled.hpp>

namespace cove {

namespace detail {

/// What the two ends of a oneshot share: a channel for one value, in one piece of memory, that goes
/// with the second end. An end that goes closes the channel first.
template <class T>
class oneshot_state : public pooled {
 public:
  oneshot_state() noexcept : core_(element_of<T>, &slot_, 1) {}
  oneshot_state(const oneshot_state&) = delete;
  oneshot_state& operator=(const oneshot_state&) = delete;

  channel_core& core() noexcept { return core_; }

  void drop_end() noexcept {
    core_.close();
    // acq_rel: the second end frees what the first has used.
    if (ends_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  detail::atomic<int> ends_{2};
  element_slot<T> slot_;  ///< The channel's ring.
  channel_core core_;
};

/// One of the ends: what they have in common.
template <class T>
class oneshot_end {
 public:
  explicit oneshot_end(oneshot_state<T>* state) noexcept : state_(state) {}
  oneshot_end(oneshot_end&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  oneshot_end& operator=(oneshot_end&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~oneshot_end() { drop(); }

 protected:
  void drop() noexcept {
    if (state_ != nullptr) std::exchange(state_, nullptr)->drop_end();
  }

  oneshot_state<T>* state_;
};

template <class T>
class oneshot_receive_result;

/// `co_await receiver.receive()`.
template <class T>
class [[nodiscard]] oneshot_receive : public channel_receive<T> {
 public:
  using channel_receive<T>::channel_receive;

  T await_resume() {
    std::optional<T> got = channel_receive<T>::await_resume();
    if (!got) throw_error(this->error(), this->name, "the sender went without sending");
    return std::move(*got);
  }

  /// Gives a result, and does not throw.
  auto as_result() && noexcept { return oneshot_receive_result<T>(std::move(*this)); }
};

template <class T>
class [[nodiscard]] oneshot_receive_result : public oneshot_receive<T> {
 public:
  explicit oneshot_receive_result(oneshot_receive<T>&& from) noexcept
      : oneshot_receive<T>(std::move(from)) {}

  result<T> await_resume() noexcept {
    std::optional<T> got = this->take();
    if (!got) return this->error();
    return std::move(*got);
  }
};

}  // namespace detail

/// The end of a oneshot that sends, once. If it goes without, the receiver is told.
///
/// Threads:  one thread at a time; may go to another thread.
/// Lifetime: independent of the other end and of any runtime.
template <class T>
class oneshot_sender : private detail::oneshot_end<T> {
 public:
  using detail::oneshot_end<T>::oneshot_end;

  /// Sends, without waiting. May be called by any thread.
  /// Errors: closed if the receiver has gone, or this has sent before; the value comes back.
  send_result<T> send(T value) noexcept {
    if (this->state_ == nullptr) return {make_error_code(errc::closed), std::move(value)};
    detail::channel_send<T> attempt(this->state_->core(), std::move(value));
    attempt.try_once();
    this->drop();
    return attempt.report();
  }

  /// True once it has sent, or nobody is there any more to receive.
  bool closed() const noexcept { return this->state_ == nullptr || this->state_->core().closed(); }
};

/// The end of a oneshot that receives.
///
/// Threads:  one thread at a time; may go to another thread. Not moved from.
/// Lifetime: must outlive its await; else independent of the other end.
template <class T>
class oneshot_receiver : private detail::oneshot_end<T> {
 public:
  using detail::oneshot_end<T>::oneshot_end;

  /// Waits for the value.
  /// Errors:       closed if the sender went without sending, or the value was received before;
  ///               canceled or deadline_exceeded. `receive().as_result()` reports them in place of
  ///               a throw.
  /// Cancellation: the value is not lost; it can still be received.
  detail::oneshot_receive<T> receive() noexcept {
    return detail::oneshot_receive<T>(this->state_->core());
  }
  /// As receive(), for a thread that is no worker. Blocks it.
  /// Errors: closed as above; resource_deadlock_would_occur inside a task.
  T receive_blocking() {
    detail::oneshot_receive<T> wait(this->state_->core());
    wait.wait_as_thread();
    return wait.await_resume();
  }
  /// The value if it is there, else nothing: then ended() tells if it may still come.
  std::optional<T> try_receive() noexcept {
    detail::oneshot_receive<T> attempt(this->state_->core());
    attempt.try_once();
    return attempt.take();
  }
  /// The sender has gone, and there is nothing to receive.
  bool ended() const noexcept { return this->state_->core().ended(); }
};

/// What oneshot() gives.
template <class T>
struct oneshot_ends {
  oneshot_sender<T> sender;
  oneshot_receiver<T> receiver;
};

/// Makes the two ends of a way for one value: an answer, a result.
///
///     auto [sender, receiver] = cove::oneshot<answer>();
///     co_await questions.send(question(text, std::move(sender)));
///     answer got = co_await receiver.receive();
///
/// `T` is as in channel. Throws std::bad_alloc.
template <class T>
oneshot_ends<T> oneshot() {
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                "a value must move without throwing; send std::unique_ptr<T> instead");
  auto* state = new detail::oneshot_state<T>();
  return {oneshot_sender<T>(state), oneshot_receiver<T>(state)};
}

}  // namespace cove
