#pragma once

#include <cove/io/buffer.hpp>
#include <cove/io/detail/byte_buffer.hpp>
#include <cove/io/detail/turn.hpp>
#include <cove/io/stream.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace cove::io {

namespace detail {

/// Says that bytes were dropped.
void report_unflushed(std::size_t count) noexcept;

/// As a list, which GCC 12 does not make inside of a coroutine.
inline std::array<const_buffer, 2> both(std::span<const std::byte> first,
                                        std::span<const std::byte> second) noexcept {
  return {first, second};
}

/// Streams that write several buffers in one call.
template <class S>
concept gathering_stream = requires(S& stream, std::span<const const_buffer> parts) {
  { stream.write_all(parts).as_result() } -> gives<io_result>;
};

}  // namespace detail

/// Collects small writes, and writes them to a stream in large ones.
///
///     cove::io::buffered_writer writer(peer);        // refers to peer; std::move(peer) owns it
///     for (const auto& row : rows) co_await writer.write_all(cove::io::bytes_of(row));
///     co_await writer.flush();
///
/// Nothing but flush(), shutdown_write() and a full buffer writes to the stream. A destructor
/// cannot wait: a writer that ends with bytes unflushed drops them, and says so in the log.
///
/// Errors:       those of the stream, told by the write that met them; what was not written stays
///               buffered.
/// Cancellation: safe: the count says how much of the caller's bytes was taken, each of which is
///               written or buffered.
/// Threads:      one task at a time.
/// Lifetime:     a stream given by reference must outlive the writer.
/// Units:        bytes.
template <class S>
class buffered_writer {
  using stream_type = std::remove_reference_t<S>;

 public:
  /// Takes the stream over, or refers to it where `S` is a reference. `capacity`: how many bytes
  /// are collected before they are written; no memory is held while nothing is collected.
  template <class From>
    requires std::is_constructible_v<S, From&&>
  explicit buffered_writer(From&& stream, std::size_t capacity = 16384)
      : stream_(std::forward<From>(stream)), capacity_(std::max<std::size_t>(capacity, 1)) {
    detail::must_be_writable<stream_type>();
  }
  buffered_writer(buffered_writer&&) noexcept = default;
  buffered_writer& operator=(buffered_writer&&) = delete;
  ~buffered_writer() {
    if (!buffer_.empty()) detail::report_unflushed(buffer_.size());
  }

  /// Takes at least one byte, as many as there is room for.
  transfer<std::size_t> write_some(std::span<const std::byte> bytes) {
    return {"write_some", some(bytes)};
  }
  /// Takes all of `bytes`. Ends when they are buffered, or written where the buffer was full.
  transfer<void> write_all(std::span<const std::byte> bytes) { return {"write_all", all(bytes)}; }
  /// Writes what is buffered.
  transfer<void> flush() { return {"flush", write_out()}; }
  /// Writes what is buffered, then ends the stream's writing side.
  task<> shutdown_write() {
    co_await flush();
    co_await finish_writing(stream_);
  }

  /// Takes all of `bytes` at once, or none: if they do not fit behind what is buffered, that is
  /// written first, and if they are longer than the capacity they are buffered all the same.
  /// Cancellation: none of it was taken.
  transfer<void> write_whole(std::span<const std::byte> bytes) {
    return {"write_whole", whole(bytes, {})};
  }
  /// The same for two parts that must not be torn apart.
  transfer<void> write_whole(std::span<const std::byte> first, std::span<const std::byte> second) {
    return {"write_whole", whole(first, second)};
  }

  /// How many bytes are buffered.
  std::size_t unflushed() const noexcept { return buffer_.size(); }
  /// Drops what is buffered; gives how much that was.
  std::size_t discard() noexcept {
    const std::size_t count = buffer_.size();
    buffer_.consume(count);
    buffer_.release();
    return count;
  }
  /// The stream. What is buffered is not in it yet.
  stream_type& stream() noexcept { return stream_; }

 private:
  task<transfer_outcome> some(std::span<const std::byte> bytes);
  task<transfer_outcome> all(std::span<const std::byte> bytes);
  task<transfer_outcome> whole(std::span<const std::byte> first, std::span<const std::byte> second);
  task<transfer_outcome> write_out();
  task<transfer_outcome> write_behind(std::span<const std::byte> bytes);
  void keep(std::span<const std::byte> bytes);
  std::size_t room() const noexcept {
    return buffer_.size() < capacity_ ? capacity_ - buffer_.size() : 0;
  }

  S stream_;
  std::size_t capacity_;
  detail::byte_buffer buffer_;
};

template <class From>
buffered_writer(From&&) -> buffered_writer<From>;
template <class From>
buffered_writer(From&&, std::size_t) -> buffered_writer<From>;

template <class S>
void buffered_writer<S>::keep(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  std::memcpy(buffer_.prepare(bytes.size()).data(), bytes.data(), bytes.size());
  buffer_.commit(bytes.size());
}

COVE_COROUTINE_TEMPLATES_BEGIN
template <class S>
task<transfer_outcome> buffered_writer<S>::write_out() {
  const std::error_code asked = co_await detail::turn();
  if (asked) co_return transfer_outcome(0, asked);
  if (buffer_.empty()) co_return transfer_outcome(0, {});
  const io_result done = co_await stream_.write_all(buffer_.bytes()).as_result();
  buffer_.consume(done.n);
  buffer_.release();
  co_return done;
}

/// Writes what is buffered and `bytes` behind it, in one call where the stream can; gives how many
/// of `bytes`.
template <class S>
task<transfer_outcome> buffered_writer<S>::write_behind(std::span<const std::byte> bytes) {
  if constexpr (detail::gathering_stream<stream_type>) {
    if (!buffer_.empty()) {
      const std::size_t before = buffer_.size();
      const std::array<const_buffer, 2> parts = detail::both(buffer_.bytes(), bytes);
      const io_result done =
          co_await stream_.write_all(std::span<const const_buffer>(parts)).as_result();
      buffer_.consume(std::min(done.n, before));
      buffer_.release();
      co_return transfer_outcome(done.n - std::min(done.n, before), done.error);
    }
  }
  const transfer_outcome flushed = co_await write_out();
  if (flushed.error) co_return transfer_outcome(0, flushed.error, flushed.remedy);
  co_return co_await stream_.write_all(bytes).as_result();
}

template <class S>
task<transfer_outcome> buffered_writer<S>::some(std::span<const std::byte> bytes) {
  const std::error_code asked = co_await detail::turn();
  if (asked) co_return transfer_outcome(0, asked);
  if (room() == 0 && !bytes.empty()) {
    const transfer_outcome flushed = co_await write_out();
    if (flushed.error) co_return transfer_outcome(0, flushed.error, flushed.remedy);
  }
  const std::size_t count = std::min(bytes.size(), room());
  keep(bytes.first(count));
  co_return transfer_outcome(count, {});
}

template <class S>
task<transfer_outcome> buffered_writer<S>::all(std::span<const std::byte> bytes) {
  const std::error_code asked = co_await detail::turn();
  if (asked) co_return transfer_outcome(0, asked);
  if (bytes.size() > room()) {
    if (bytes.size() >= capacity_) co_return co_await write_behind(bytes);
    const transfer_outcome flushed = co_await write_out();
    if (flushed.error) co_return transfer_outcome(0, flushed.error, flushed.remedy);
  }
  keep(bytes);
  co_return transfer_outcome(bytes.size(), {});
}

template <class S>
task<transfer_outcome> buffered_writer<S>::whole(std::span<const std::byte> first,
                                                 std::span<const std::byte> second) {
  const std::error_code asked = co_await detail::turn();
  if (asked) co_return transfer_outcome(0, asked);
  const std::size_t total = first.size() + second.size();
  if (total > room() && !buffer_.empty()) {
    const transfer_outcome flushed = co_await write_out();
    if (flushed.error) co_return transfer_outcome(0, flushed.error, flushed.remedy);
  }
  buffer_.prepare(std::max<std::size_t>(total, 1));  // Whatever throws, throws before it is taken.
  keep(first);
  keep(second);
  co_return transfer_outcome(total, {});
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace cove::io
