#pragma once

#include <cove/io/stream.hpp>

#include <new>

// A transfer of a stream whose type is not known. The stream constructs its own awaitable in the
// room of an any_transfer, which lives in the caller's frame as every awaitable does; so reading
// through an any_stream allocates no more than reading the stream. It is the one that throws, so
// that a failure is told in the stream's own words; as_result() makes the one that reports of it.
//
// What would not fit becomes a coroutine, whose frame does come from the cache of frames.

namespace cove::io::detail {

/// What can be done with an awaitable in a room.
struct transfer_moves {
  bool (*ready)(void* room, cove::detail::task_ctl& task);
  /// What is to be resumed next: `self` if nothing is waited for.
  std::coroutine_handle<> (*suspend)(void* room, std::coroutine_handle<> self) noexcept;
  io_result (*resume)(void* room);
  /// Moves it into an empty room as what reports in place of a throw.
  const transfer_moves& (*report)(void* from, void* to) noexcept;
  void (*relocate)(void* from, void* to) noexcept;
  void (*destroy)(void* room) noexcept;
};

template <class A>
A& in_room(void* room) noexcept {
  return *std::launder(static_cast<A*>(room));
}

template <class A>
std::coroutine_handle<> suspend_in_room(void* room, std::coroutine_handle<> self) noexcept {
  A& waits = in_room<A>(room);
  if constexpr (std::is_same_v<decltype(waits.await_suspend(self)), bool>) {
    cove::detail::task_ctl& task = *waits.task_;
    // Once it is published nothing of the task is touched.
    if (waits.await_suspend(self)) return std::noop_coroutine();
    return cove::detail::transfer(task, self);
  } else {
    return waits.await_suspend(self);
  }
}

template <class A>
io_result resume_in_room(void* room) {
  A& ended = in_room<A>(room);
  if constexpr (std::is_void_v<decltype(ended.await_resume())>) {
    ended.await_resume();
    return {};
  } else if constexpr (std::is_same_v<decltype(ended.await_resume()), std::size_t>) {
    return {ended.await_resume(), {}};
  } else {
    return ended.await_resume();
  }
}

template <class A>
using report_of = decltype(std::declval<A>().as_result());

template <class A>
const transfer_moves& report_in_room(void* from, void* to) noexcept;

template <class A>
inline constexpr transfer_moves moves_of{[](void* room, cove::detail::task_ctl& task) {
                                           in_room<A>(room).task_ = &task;
                                           return in_room<A>(room).await_ready();
                                         },
                                         suspend_in_room<A>,
                                         resume_in_room<A>,
                                         report_in_room<A>,
                                         [](void* from, void* to) noexcept {
                                           ::new (to) A(std::move(in_room<A>(from)));
                                           in_room<A>(from).~A();
                                         },
                                         [](void* room) noexcept { in_room<A>(room).~A(); }};

template <class A>
const transfer_moves& report_in_room(void* from, void* to) noexcept {
  if constexpr (requires { typename report_of<A>; }) {
    using R = report_of<A>;
    ::new (to) R(std::move(in_room<A>(from)).as_result());
    in_room<A>(from).~A();
    return moves_of<R>;
  } else {
    return moves_of<A>;  // One that reports. Nobody asks.
  }
}

/// Room for an awaitable that gives an io_result; empty at first.
class transfer_room {
 public:
  /// Those of sockets and pipes fit, and those of coroutines.
  static constexpr std::size_t capacity = 128;
  template <class A>
  static constexpr bool fits_as_it_is =
      sizeof(A) <= capacity && alignof(A) <= alignof(std::max_align_t) &&
      std::is_nothrow_move_constructible_v<A>;
  template <class A>
  static constexpr bool fits = fits_as_it_is<A> && fits_as_it_is<report_of<A>>;

  transfer_room() noexcept = default;
  transfer_room(transfer_room&& other) noexcept : moves_(std::exchange(other.moves_, nullptr)) {
    if (moves_ != nullptr) moves_->relocate(other.bytes_, bytes_);
  }
  transfer_room& operator=(transfer_room&&) = delete;
  ~transfer_room() {
    if (moves_ != nullptr) moves_->destroy(bytes_);
  }

  /// Constructs what `make()` gives.
  template <class Make>
  void fill(Make make) {
    using A = std::invoke_result_t<Make>;
    ::new (static_cast<void*>(bytes_)) A(make());
    moves_ = &moves_of<A>;
  }

  /// What reports in place of a throw.
  transfer_room as_report() && noexcept {
    transfer_room made;
    if (moves_ != nullptr)
      made.moves_ = &std::exchange(moves_, nullptr)->report(bytes_, made.bytes_);
    return made;
  }

  bool empty() const noexcept { return moves_ == nullptr; }
  bool ready(cove::detail::task_ctl& task) { return moves_->ready(bytes_, task); }
  std::coroutine_handle<> suspend(std::coroutine_handle<> self) noexcept {
    return moves_->suspend(bytes_, self);
  }
  io_result resume() { return moves_->resume(bytes_); }

 private:
  const transfer_moves* moves_ = nullptr;
  alignas(std::max_align_t) std::byte bytes_[capacity];
};

/// The awaiting side of a room. An empty one reports errc::closed.
class any_awaiter : public cove::detail::awaitable_base {
 public:
  explicit any_awaiter(transfer_room room) noexcept : room_(std::move(room)) {}
  /// Before its start only.
  any_awaiter(any_awaiter&&) noexcept = default;

  transfer_room as_report() && noexcept { return std::move(room_).as_report(); }

  bool await_ready() { return room_.empty() || room_.ready(*task_); }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) noexcept {
    return room_.suspend(self);
  }

 protected:
  io_result take() {
    if (room_.empty()) return {0, make_error_code(errc::closed)};
    return room_.resume();
  }

 private:
  transfer_room room_;
};

class [[nodiscard]] any_report : public any_awaiter {
 public:
  explicit any_report(any_awaiter&& from) noexcept : any_awaiter(std::move(from).as_report()) {}
  io_result await_resume() { return take(); }
};

/// What an any_stream gives: `T` as in transfer.
template <class T>
class [[nodiscard]] any_transfer : public any_awaiter {
 public:
  any_transfer(const char* verb, transfer_room room) noexcept
      : any_awaiter(std::move(room)), verb_(verb) {}
  /// Before its start only.
  any_transfer(any_transfer&&) noexcept = default;

  T await_resume() {
    const io_result ended = take();
    if (ended.error) throw_transfer(verb_, ended);
    if constexpr (!std::is_void_v<T>) return ended.n;
  }
  /// Gives an io_result, and does not throw what is an error code.
  auto as_result() && noexcept { return any_report(std::move(*this)); }

 private:
  const char* verb_;
};

}  // namespace cove::io::detail
