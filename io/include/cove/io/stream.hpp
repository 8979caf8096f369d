#pragma once

#include <cove/io/transfer.hpp>
#include <cove/runtime/detail/awaited.hpp>

#include <concepts>
#include <cstddef>
#include <span>

// What makes a type a stream. Whatever has these members is one: nothing is derived from anything.

namespace cove::detail {
class descriptor;
}

namespace cove::io {

namespace detail {

/// The descriptor of a stream that the kernel can copy by itself; nullptr of any other.
template <class S>
cove::detail::descriptor* kernel_end(S& stream) noexcept {
  if constexpr (requires { stream.kernel_end(); })
    return stream.kernel_end();
  else
    return nullptr;
}

template <class A, class T>
concept gives = requires { requires std::same_as<cove::detail::awaited_t<A>, T>; };

/// Gives a T, and with as_result() an io_result.
template <class A, class T>
concept transfer_of =
    gives<A, T> && requires(A a) { requires gives<decltype(std::move(a).as_result()), io_result>; };

}  // namespace detail

/// What can be read: a tcp_stream, an end of a pipe or of a duplex, a buffered_reader, a half.
///
///   read_some(std::span<std::byte>)   reads at least one byte and gives the count; 0 is the end of
///                                     the stream, now and ever after; invalid_argument for an
///                                     empty buffer. With as_result(): an io_result.
///
/// Cancellation: of a stream's operation, it ends and tells what it has moved; nothing is lost.
template <class S>
concept readable_stream = requires(S& stream, std::span<std::byte> room) {
  { stream.read_some(room) } -> detail::transfer_of<std::size_t>;
};

/// What can be written.
///
///   write_some(std::span<const std::byte>)   writes at least one byte and gives the count
///   write_all(std::span<const std::byte>)    writes all of them
///
/// Both with as_result(): an io_result.
template <class S>
concept writable_stream = requires(S& stream, std::span<const std::byte> bytes) {
  { stream.write_some(bytes) } -> detail::transfer_of<std::size_t>;
  { stream.write_all(bytes) } -> detail::transfer_of<void>;
};

/// What has two directions: a connection.
///
///   shutdown_write()   this side will write no more; reading goes on. It may be a plain call or be
///                      awaited: io::finish_writing() serves both.
///   close()            awaited, gives an error code and does not throw
template <class S>
concept byte_stream = readable_stream<S> && writable_stream<S> && requires(S& stream) {
  stream.shutdown_write();
  { stream.close() } -> detail::gives<std::error_code>;
};

namespace detail {

// Who hands over something that is no stream reads one of these sentences first.

template <class S>
constexpr void must_be_readable() {
  static_assert(
      requires(S& stream, std::span<std::byte> room) { stream.read_some(room); },
      "this is no stream that can be read: it has no member "
      "read_some(std::span<std::byte>); see <cove/io/stream.hpp>");
  static_assert(readable_stream<S>,
                "read_some() of this type must be awaited for a std::size_t, and with .as_result() "
                "for a cove::io_result; give a cove::io::transfer<std::size_t>");
}

template <class S>
constexpr void must_be_writable() {
  static_assert(
      requires(S& stream, std::span<const std::byte> bytes) {
        stream.write_some(bytes);
        stream.write_all(bytes);
      },
      "this is no stream that can be written: it has no members write_some and "
      "write_all(std::span<const std::byte>); see <cove/io/stream.hpp>");
  static_assert(writable_stream<S>,
                "write_some() and write_all() of this type must be awaited, for a std::size_t and "
                "for nothing, and with .as_result() for a cove::io_result; give a "
                "cove::io::transfer<std::size_t> and a cove::io::transfer<void>");
}

template <class S>
constexpr void must_be_byte_stream() {
  must_be_readable<S>();
  must_be_writable<S>();
  static_assert(
      requires(S& stream) { stream.shutdown_write(); },
      "this stream has no shutdown_write(), so the other end could not be told that no "
      "more comes; see <cove/io/stream.hpp>");
  static_assert(byte_stream<S>,
                "this stream has no close() that is awaited for a std::error_code; see "
                "<cove/io/stream.hpp>");
}

/// Says that no more comes, where that need not be awaited; else nothing. For destructors.
template <class S>
void abandon_writing(S& stream) noexcept {
  if constexpr (requires { stream.abandon_writing(); }) {
    stream.abandon_writing();
  } else if constexpr (std::is_void_v<decltype(stream.shutdown_write())>) {
    try {
      stream.shutdown_write();
    } catch (const std::system_error&) {
      // It is broken or closed: the other end knows, or will.
      return;
    }
  }
}

}  // namespace detail

COVE_COROUTINE_TEMPLATES_BEGIN
/// Calls `stream.shutdown_write()`, and awaits it where it has to be awaited.
///
/// Errors, Cancellation: those of the stream.
/// Lifetime: the stream must outlive the await.
template <class S>
task<> finish_writing(S& stream) {
  if constexpr (std::is_void_v<decltype(stream.shutdown_write())>)
    stream.shutdown_write();
  else
    co_await stream.shutdown_write();
  co_return;
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace cove::io
