#pragma once

#include <cove/runtime/detail/descriptor.hpp>
#include <cove/runtime/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

// Descriptors that come from outside: what they are, and how they are made fit for a runtime.

namespace cove::io::detail {

enum class native_kind : std::uint8_t {
  file,
  directory,
  block_device,
  character_device,  ///< No terminal: /dev/null, say.
  terminal,
  pipe,  ///< Or a FIFO.
  tcp_stream,
  tcp_listener,
  tcp_idle,      ///< Neither connected nor listening.
  other_socket,  ///< UDP, Unix, ...
  other,         ///< eventfd, timerfd, ...
};

/// Errors: bad_file_descriptor.
result<native_kind> kind_of(int fd) noexcept;
/// "a regular file", "a TCP socket that listens".
std::string_view words_for(native_kind kind) noexcept;

/// A file or directory is always ready, so there is nothing to wait for.
constexpr bool is_always_ready(native_kind kind) noexcept {
  return kind == native_kind::file || kind == native_kind::directory ||
         kind == native_kind::block_device;
}

/// Is there anything to wait for? Devices without that, such as /dev/null, are always ready. Which
/// kind it is does not tell, nor does poll(2); epoll does. True if that cannot be asked.
bool can_wait(int fd) noexcept;

/// Which way a descriptor was opened.
struct access_mode {
  bool reads = false;
  bool writes = false;
};
access_mode access_of(int fd) noexcept;

/// Non-blocking, and not inherited by programs that are started: what the runtime needs.
std::error_code take_in(int fd) noexcept;
/// Blocking again, as programs expect of what they are given.
std::error_code let_out(int fd) noexcept;

/// Another number for the same thing, which programs that are started do not inherit.
result<int> duplicate(int fd) noexcept;

/// Throws: `verb descriptor 7`, with what it is and what is needed.
[[noreturn]] void refuse_native(std::string_view verb, int fd, native_kind kind,
                                std::string_view needed);
/// The kind of what is open; throws for what is not.
native_kind require_open(std::string_view verb, int fd);
/// take_in(), or throws.
void require_taken_in(std::string_view verb, int fd);
/// release() of whatever owns a descriptor: out of the runtime, and blocking again.
int release_native(cove::detail::descriptor& from);

}  // namespace cove::io::detail
