#pragma once

#include <cove/io/buffered_reader.hpp>
#include <cove/io/buffered_writer.hpp>

#include <bit>
#include <cstdint>

namespace cove::io {

/// How many bytes say how long a frame is.
enum class prefix_size : unsigned char { one = 1, two = 2, four = 4, eight = 8 };

/// Frames that begin with their length.
///
///     constexpr cove::io::frame_format format(65536);   // 4 bytes, big endian
///
/// Threads:  a value.
/// Units:    bytes.
struct frame_format {
  /// `largest`: the most bytes a frame may have, without its prefix; mandatory, because the other
  /// end says how long a frame is.
  constexpr explicit frame_format(std::size_t largest, prefix_size size = prefix_size::four,
                                  std::endian byte_order = std::endian::big) noexcept
      : most(largest), prefix(size), order(byte_order) {}

  std::size_t most;
  prefix_size prefix;
  std::endian order;
};

namespace detail {

/// The prefix of a frame, as bytes.
struct frame_prefix {
  std::array<std::byte, 8> bytes;
  std::size_t size;
};

/// Throws message_size for a frame that the format does not allow.
frame_prefix make_prefix(const frame_format& format, std::size_t size);
/// The length that a prefix says. Throws message_size for one that the format does not allow.
std::size_t read_prefix(const frame_format& format, std::span<const std::byte> bytes);
/// Throws invalid_argument for a line that would be read as another.
void check_line(std::string_view line);

}  // namespace detail

COVE_COROUTINE_TEMPLATES_BEGIN
/// Reads a frame and gives what is behind its prefix; nothing at the end of the stream.
///
///     while (auto frame = co_await cove::io::read_frame(reader, format)) handle(*frame);
///
/// Errors:       those of the reader; message_size for a longer frame, which is left unread, prefix
///               and all; errc::unexpected_end if the stream ends inside a frame.
/// Cancellation: safe: what has come of a frame stays in the reader.
/// Threads:      as the reader.
/// Lifetime:     the view is valid until the next operation of the reader.
template <class S>
task<std::optional<std::span<const std::byte>>> read_frame(buffered_reader<S>& from,
                                                           frame_format format) {
  const auto prefix = static_cast<std::size_t>(format.prefix);
  if (from.buffered().empty()) {
    const io_result came = co_await from.fill().as_result();
    detail::check_read("read_frame", came);
    if (came.n == 0) co_return std::nullopt;
  }
  std::span<const std::byte> there = co_await from.peek(prefix);
  const std::size_t size = detail::read_prefix(format, there.first(prefix));
  there = co_await from.peek(prefix + size);
  from.consume(prefix + size);
  co_return there.subspan(prefix, size);
}

/// Writes a frame: its prefix and `payload`. It is buffered until the writer is flushed or full.
///
///     co_await cove::io::write_frame(writer, cove::io::bytes_of("hello"), format);
///     co_await writer.flush();
///
/// Errors:       those of the writer; message_size for a payload that the format does not allow.
/// Cancellation: safe: nothing of the frame was taken.
/// Threads:      as the writer.
/// Lifetime:     the payload must outlive the await.
template <class S>
task<> write_frame(buffered_writer<S>& to, std::span<const std::byte> payload,
                   frame_format format) {
  const detail::frame_prefix prefix = detail::make_prefix(format, payload.size());
  co_await to.write_whole(std::span(prefix.bytes).first(prefix.size), payload);
}

/// Writes a line and its end. It is buffered until the writer is flushed or full. To read lines is
/// a matter of buffered_reader::read_line().
///
/// Errors:       those of the writer; invalid_argument for a line with an end of line inside, or a
///               CR at its end, which read_line() would take for a part of that.
/// Cancellation: safe: nothing of the line was taken.
/// Threads:      as the writer.
/// Lifetime:     line and end must outlive the await.
template <class S>
task<> write_line(buffered_writer<S>& to, std::string_view line, std::string_view end = "\n") {
  detail::check_line(line);
  co_await to.write_whole(bytes_of(line), bytes_of(end));
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace cove::io
