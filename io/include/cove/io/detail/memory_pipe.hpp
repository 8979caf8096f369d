#pragma once

#include <cove/io/transfer.hpp>
#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/spin_lock.hpp>
#include <cove/runtime/detail/suspend.hpp>

#include <cstddef>

// One direction of a duplex: a ring of bytes between one reader and one writer.
//
// The bytes that are there are the reader's, the room is the writer's; each copies its own without
// the lock, and takes it to say what it has moved. Who has to wait notes its task in its side, with
// the lock. Who changes what the other side waits for takes the note, and so owes that task one
// completion; the task then looks again by itself, so nothing is handed over and nothing is lost
// when it was asked to end meanwhile. A side is taken by one operation at a time.
//
//   side: free -> taken (an operation begins) -> taken, waiting <-> taken -> free (its result is
//         taken)
//
// Operations count as owners, as the two ends of the duplex do, so an end may be destroyed while
// its operations wait: they find the side closed.
//
// Orders: all but the bytes is under the lock, and the lock publishes the bytes.

namespace cove::io::detail {

class memory_pipe {
 public:
  /// One owner. Throws std::bad_alloc.
  static memory_pipe* make(std::size_t capacity);
  void retain() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;

  enum class end : unsigned char { reader, writer };

  /// Closes one end: its own operation ends with errc::closed, the other end sees that no more
  /// comes, or that nobody reads. False if it was closed before.
  bool close(end which) noexcept;
  /// The writer's end only: no more comes, and a later write is a broken pipe.
  void finish() noexcept;

 private:
  friend class memory_operation;

  struct side {
    bool taken = false;   ///< By an operation.
    bool closed = false;  ///< On this side.
    cove::detail::task_ctl* waits = nullptr;
  };

  explicit memory_pipe(std::size_t capacity) noexcept : capacity_(capacity) {}
  ~memory_pipe() = default;
  std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  side& at(end which) noexcept { return which == end::reader ? reader_ : writer_; }
  side& beyond(end which) noexcept { return which == end::reader ? writer_ : reader_; }

  cove::detail::atomic<unsigned> owners_{1};
  const std::size_t capacity_;

  mutable cove::detail::spin_lock lock_;
  // Under lock_.
  side reader_;
  side writer_;
  bool finished_ = false;  ///< The writer will write no more.
  std::size_t first_ = 0;  ///< Where the bytes begin; changed by the reader.
  std::size_t count_ = 0;
};

/// A read or a write. `whole`: it goes on until all of the buffer has moved.
class memory_operation : public cove::detail::awaitable_base, public cove::detail::operation {
 public:
  memory_operation(memory_pipe* where, memory_pipe::end which, void* buffer, std::size_t size,
                   bool whole, const char* verb) noexcept;
  /// Before its start only.
  memory_operation(memory_operation&& other) noexcept;
  ~memory_operation();

  bool await_ready() noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return cove::detail::suspend(*task_, *this, self);
  }

 protected:
  /// Ends it: the side is free again.
  io_result leave() noexcept;

 private:
  static const cove::detail::operation_type moves;
  static bool advance(operation& op, cove::detail::task_ctl& task,
                      cove::sched::processor& p) noexcept;
  static bool withdraw(operation& op, cove::detail::task_ctl& task,
                       cove::sched::processor& p) noexcept;
  static void refuse(operation& op, cove::detail::stop_reason why) noexcept;

  enum class look : unsigned char { moved, ended, nothing };

  bool take_side() noexcept;
  bool must_end(cove::detail::task_ctl& task) noexcept;
  bool proceed(cove::detail::task_ctl& task, bool may_wait) noexcept;
  look attempt(cove::detail::task_ctl* waits) noexcept;
  std::size_t possible() noexcept;  // Under the lock.
  void copy(std::size_t at, std::size_t count) noexcept;

  memory_pipe* pipe_;
  std::byte* buffer_;
  std::size_t size_;
  std::size_t moved_ = 0;
  const memory_pipe::end end_;
  const bool whole_;
  bool holds_ = false;  ///< The side is this operation's.
  std::error_code error_;
};

class [[nodiscard]] memory_report : public memory_operation {
 public:
  explicit memory_report(memory_operation&& from) noexcept : memory_operation(std::move(from)) {}
  io_result await_resume() noexcept { return leave(); }
};

/// `T` as in transfer.
template <class T>
class [[nodiscard]] memory_transfer : public memory_operation {
 public:
  using memory_operation::memory_operation;
  T await_resume() {
    const io_result ended = leave();
    if (ended.error) throw_transfer(name, ended);
    if constexpr (!std::is_void_v<T>) return ended.n;
  }
  auto as_result() && noexcept { return memory_report(std::move(*this)); }
};

}  // namespace cove::io::detail
