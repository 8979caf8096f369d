#pragma once

#include <cove/io/detail/memory_pipe.hpp>

#include <span>

namespace cove::io {

namespace detail {

/// One owner's hold of a memory_pipe, at one of its ends: it closes that when it goes.
class memory_hold {
 public:
  memory_hold(memory_pipe* of, memory_pipe::end which) noexcept : pipe_(of), end_(which) {}
  memory_hold(memory_hold&& other) noexcept
      : pipe_(std::exchange(other.pipe_, nullptr)), end_(other.end_) {}
  memory_hold& operator=(memory_hold&& other) noexcept {
    if (this != &other) {
      drop();
      pipe_ = std::exchange(other.pipe_, nullptr);
    }
    return *this;
  }
  ~memory_hold() { drop(); }

  /// The other end's.
  memory_hold opposite() const noexcept {
    pipe_->retain();
    return {pipe_,
            end_ == memory_pipe::end::reader ? memory_pipe::end::writer : memory_pipe::end::reader};
  }
  memory_pipe* pipe() const noexcept { return pipe_; }
  bool close() noexcept { return pipe_ != nullptr && pipe_->close(end_); }

 private:
  void drop() noexcept {
    if (pipe_ == nullptr) return;
    static_cast<void>(pipe_->close(end_));
    pipe_->release();
  }

  memory_pipe* pipe_;
  memory_pipe::end end_;
};

/// `co_await close` of a stream in memory: nothing is waited for.
class memory_close : public cove::detail::awaitable_base {
 public:
  memory_close(memory_hold& in, memory_hold& out) noexcept : in_(in), out_(out) {}
  memory_close(memory_close&&) = delete;
  bool await_ready() const noexcept { return true; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise>) const noexcept {}
  std::error_code await_resume() noexcept {
    const bool was_open = in_.close();
    static_cast<void>(out_.close());
    return was_open ? std::error_code{} : make_error_code(errc::closed);
  }

 private:
  memory_hold& in_;
  memory_hold& out_;
};

}  // namespace detail

/// One end of a duplex: a stream in memory, with the manners of a connection.
///
/// Errors:       errc::closed once it was closed on this side; broken_pipe for writes when the
///               other end is closed, or after shutdown_write(); errc::operation_in_progress while
///               another task uses the same direction.
/// Cancellation: safe. An operation ends with canceled or deadline_exceeded and tells what it had
///               moved; no byte is lost and none is seen twice.
/// Threads:      one task may read while another writes, of any runtime. Any task may close or shut
///               down. Moving and destroying the object is for one thread at a time.
/// Lifetime:     buffers must outlive the await. Destroying an end closes it; its operations end.
class duplex_stream {
 public:
  /// Closed.
  duplex_stream() noexcept
      : in_(nullptr, detail::memory_pipe::end::reader),
        out_(nullptr, detail::memory_pipe::end::writer) {}

  /// Reads at least one byte. 0 means that the other end has shut down or was closed, and all that
  /// it wrote was read.
  /// Errors: invalid_argument for an empty buffer.
  detail::memory_transfer<std::size_t> read_some(std::span<std::byte> buffer) noexcept {
    return {in_.pipe(), detail::memory_pipe::end::reader, buffer.data(), buffer.size(), false,
            "read_some"};
  }
  /// Reads until `buffer` is full.
  /// Errors: errc::unexpected_end if the stream ends before, even at once.
  detail::memory_transfer<void> read_exact(std::span<std::byte> buffer) noexcept {
    return {in_.pipe(),  detail::memory_pipe::end::reader, buffer.data(), buffer.size(), true,
            "read_exact"};
  }
  /// Writes at least one byte, as many as there is room for. An empty buffer writes nothing.
  detail::memory_transfer<std::size_t> write_some(std::span<const std::byte> buffer) noexcept {
    return {out_.pipe(),
            detail::memory_pipe::end::writer,
            const_cast<std::byte*>(buffer.data()),
            buffer.size(),
            false,
            "write_some"};  // Only ever read.
  }
  /// Writes all of `buffer`, waiting for room as often as it takes.
  detail::memory_transfer<void> write_all(std::span<const std::byte> buffer) noexcept {
    return {out_.pipe(),
            detail::memory_pipe::end::writer,
            const_cast<std::byte*>(buffer.data()),
            buffer.size(),
            true,
            "write_all"};
  }

  /// This side will write no more: the other end reads what was written, then the end of the
  /// stream. Reading goes on. A second call does nothing.
  void shutdown_write() noexcept {
    if (out_.pipe() != nullptr) out_.pipe()->finish();
  }
  /// Closes this end: its operations end with errc::closed. The other end still reads what was
  /// written. Gives a zero code, or errc::closed if it was closed before. It waits for nothing.
  detail::memory_close close() noexcept { return {in_, out_}; }

 private:
  friend struct duplex_ends;
  duplex_stream(detail::memory_hold in, detail::memory_hold out) noexcept
      : in_(std::move(in)), out_(std::move(out)) {}

  detail::memory_hold in_;
  detail::memory_hold out_;
};

/// Both ends of a stream in memory.
struct duplex_ends {
  /// Not for users: duplex() makes them.
  explicit duplex_ends(std::size_t capacity);

  duplex_stream near;
  duplex_stream far;
};

/// Makes a connection in memory: what is written at one end is read at the other, in both
/// directions. A writer waits when `capacity` bytes were not read. For tests of what speaks a
/// protocol, and between tasks.
///
///     auto [client, server] = cove::io::duplex(4096);
///     co_await client.write_all(cove::io::bytes_of("hello"));
///
/// Errors: thrown; invalid_argument for a capacity of 0; std::bad_alloc.
/// Units:  bytes, of each direction.
duplex_ends duplex(std::size_t capacity);

}  // namespace cove::io
