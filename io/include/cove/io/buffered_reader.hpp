#pragma once

#include <cove/io/detail/byte_buffer.hpp>
#include <cove/io/detail/delimited.hpp>
#include <cove/io/detail/turn.hpp>
#include <cove/io/stream.hpp>
#include <cove/runtime/detail/buffer_cache.hpp>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace cove::io {

/// What a last line is that the stream ends before its end of line.
enum class last_line : unsigned char {
  must_end,  ///< An error: something is missing.
  may_end,   ///< A line.
};

namespace detail {

/// Streams that lend what they receive, so that who waits holds no buffer.
template <class S>
concept lending_stream = requires(S& stream) {
  { stream.receive().as_result() } -> gives<result<lease>>;
};

/// What copy() needs of a reader.
struct copy_access;

/// Throws what a read reports, for functions that give something else than a count.
inline void check_read(const char* verb, const transfer_outcome& read) {
  if (read.error) throw_transfer(verb, transfer_outcome(0, read.error, read.remedy));
}

}  // namespace detail

/// Reads a stream in pieces that have an end: lines, delimiters, exact counts. Reads ahead as much
/// as there is, so that many small reads cost few system calls.
///
///     cove::io::buffered_reader reader(peer);        // refers to peer; std::move(peer) owns it
///     while (auto line = co_await reader.read_line(8192)) handle(*line);
///
/// Each piece has a mandatory maximum: what a peer sends must not decide how much memory it takes.
/// While it waits with nothing buffered, a reader of a socket holds no memory.
///
/// Errors:       those of the stream; message_size for what is longer than it may be;
///               errc::unexpected_end if the stream ends inside a piece. After each of these, what
///               was received is still there, and is what the next read begins with; only
///               read_exact() has taken it, into its buffer.
/// Cancellation: safe: what was received of a piece stays buffered, and nothing of it was taken;
///               by read_exact() it was.
/// Threads:      one task at a time.
/// Lifetime:     views are valid until the next operation of the reader. A stream given by
///               reference must outlive the reader.
/// Units:        bytes.
template <class S>
class buffered_reader {
  using stream_type = std::remove_reference_t<S>;

 public:
  /// Takes the stream over, or refers to it where `S` is a reference.
  template <class From>
    requires std::is_constructible_v<S, From&&>
  explicit buffered_reader(From&& stream) : stream_(std::forward<From>(stream)) {
    detail::must_be_readable<stream_type>();
  }

  /// Reads at least one byte; 0 means end of stream.
  transfer<std::size_t> read_some(std::span<std::byte> buffer) {
    return {"read_some", some(buffer)};
  }
  /// Reads until `buffer` is full.
  /// Errors, Cancellation: what came before is in `buffer`, and not in the reader any
  ///               more; the count, io_error::transferred(), says how much.
  transfer<void> read_exact(std::span<std::byte> buffer) { return {"read_exact", exact(buffer)}; }

  /// Reads up to and with `delimiter`, and gives that. `most` counts the delimiter, too.
  task<std::string_view> read_until(std::string_view delimiter, std::size_t most);
  /// Reads a line and gives it without its end, LF or CR LF, which `most` does not count. Gives
  /// nothing at the end of the stream.
  task<std::optional<std::string_view>> read_line(std::size_t most,
                                                  last_line last = last_line::must_end);

  /// Waits until at least `count` bytes are buffered, and gives all that are. They are not taken:
  /// see consume().
  task<std::span<const std::byte>> peek(std::size_t count);
  /// Reads once, behind what is buffered, and gives how much came; 0 means end of stream.
  transfer<std::size_t> fill() { return {"fill", more(1)}; }
  /// What was received and not taken.
  std::span<const std::byte> buffered() const noexcept { return buffer_.bytes(); }
  /// Takes the first `count` of the buffered bytes, at most buffered().size(): to take more is a
  /// fault in the program, and ends it.
  void consume(std::size_t count) noexcept { buffer_.consume(count); }

  /// The stream. What is buffered is not in it any more.
  stream_type& stream() noexcept { return stream_; }

 private:
  friend struct detail::copy_access;

  task<transfer_outcome> some(std::span<std::byte> buffer);
  task<transfer_outcome> exact(std::span<std::byte> buffer);
  task<transfer_outcome> more(std::size_t wanted);
  std::size_t take(std::span<std::byte> into) noexcept;
  std::string_view take_text(const detail::found& what) noexcept;

  S stream_;
  detail::byte_buffer buffer_;
};

template <class From>
buffered_reader(From&&) -> buffered_reader<From>;

COVE_COROUTINE_TEMPLATES_BEGIN
/// Receives more, behind what is there; room for `wanted` bytes is made at once.
template <class S>
task<transfer_outcome> buffered_reader<S>::more(std::size_t wanted) {
  if constexpr (detail::lending_stream<stream_type>) {
    if (buffer_.empty()) {
      buffer_.release();
      result<lease> came = co_await stream_.receive().as_result();
      if (!came) co_return transfer_outcome(0, came.error());
      const std::size_t count = came->size();
      buffer_.adopt(std::move(*came));
      co_return transfer_outcome(count, {});
    }
  }
  const std::span<std::byte> room = buffer_.prepare(wanted);
  const io_result came = co_await stream_.read_some(room).as_result();
  buffer_.commit(came.n);
  if (buffer_.empty()) buffer_.release();
  co_return came;
}

template <class S>
std::size_t buffered_reader<S>::take(std::span<std::byte> into) noexcept {
  const std::size_t count = std::min(into.size(), buffer_.size());
  if (count == 0) return 0;
  std::memcpy(into.data(), buffer_.bytes().data(), count);
  buffer_.consume(count);
  return count;
}

template <class S>
task<transfer_outcome> buffered_reader<S>::some(std::span<std::byte> buffer) {
  const std::error_code asked = co_await detail::turn();
  if (asked) co_return transfer_outcome(0, asked);
  if (buffer.empty())
    co_return transfer_outcome(
        0, std::make_error_code(std::errc::invalid_argument),
        "give a buffer of at least one byte: 0 bytes read means end of stream");
  if (buffer_.empty()) {
    buffer_.release();
    // What is as large as a buffer of ours needs none.
    if (buffer.size() >= cove::detail::borrowed_bytes)
      co_return co_await stream_.read_some(buffer).as_result();
    const transfer_outcome came = co_await more(1);
    if (came.error) co_return came;
  }
  co_return transfer_outcome(take(buffer), {});
}

template <class S>
task<transfer_outcome> buffered_reader<S>::exact(std::span<std::byte> buffer) {
  const std::error_code asked = co_await detail::turn();
  if (asked) co_return transfer_outcome(0, asked);
  std::size_t done = take(buffer);
  while (done < buffer.size()) {
    const transfer_outcome came = co_await some(buffer.subspan(done));
    done += came.n;
    if (came.error) co_return transfer_outcome(done, came.error, came.remedy);
    if (came.n == 0) co_return transfer_outcome(done, make_error_code(errc::unexpected_end));
  }
  co_return transfer_outcome(done, {});
}

template <class S>
std::string_view buffered_reader<S>::take_text(const detail::found& what) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(buffer_.bytes().data()), what.size);
  buffer_.consume(what.taken);
  return text;
}

template <class S>
task<std::string_view> buffered_reader<S>::read_until(std::string_view delimiter,
                                                      std::size_t most) {
  constexpr const char* verb = "read_until";
  if (delimiter.empty()) detail::throw_invalid(verb, "give a delimiter of at least one byte");
  detail::check_read(verb, transfer_outcome(0, co_await detail::turn()));
  std::size_t seen = 0;
  for (;;) {
    auto there = detail::find_delimiter(buffer_.bytes(), delimiter, seen, most);
    if (there && there->too_long) detail::throw_too_long(verb, most);
    if (there) {
      there->size = there->taken;
      co_return take_text(*there);
    }
    seen = buffer_.size();
    const transfer_outcome came = co_await more(1);
    detail::check_read(verb, came);
    if (came.n == 0) detail::throw_ended_inside(verb, seen);
  }
}

template <class S>
task<std::optional<std::string_view>> buffered_reader<S>::read_line(std::size_t most,
                                                                    last_line last) {
  constexpr const char* verb = "read_line";
  detail::check_read(verb, transfer_outcome(0, co_await detail::turn()));
  std::size_t seen = 0;
  for (;;) {
    const auto there = detail::find_line(buffer_.bytes(), seen, most);
    if (there && there->too_long) detail::throw_too_long(verb, most);
    if (there) co_return take_text(*there);
    seen = buffer_.size();
    const transfer_outcome came = co_await more(1);
    detail::check_read(verb, came);
    if (came.n != 0) continue;
    if (seen == 0) co_return std::nullopt;
    if (last == last_line::must_end) detail::throw_ended_inside(verb, seen);
    co_return take_text(detail::found{seen, seen, false});
  }
}

template <class S>
task<std::span<const std::byte>> buffered_reader<S>::peek(std::size_t count) {
  constexpr const char* verb = "peek";
  detail::check_read(verb, transfer_outcome(0, co_await detail::turn()));
  while (buffer_.size() < count) {
    // Room grows with what comes, not with what is announced.
    const std::size_t step = std::max(cove::detail::borrowed_bytes, buffer_.size());
    const transfer_outcome came = co_await more(std::min(count - buffer_.size(), step));
    detail::check_read(verb, came);
    if (came.n == 0) detail::throw_ended_inside(verb, buffer_.size());
  }
  co_return buffer_.bytes();
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace cove::io
