#pragma once

#include <cove/io/open_options.hpp>
#include <cove/runtime/detail/io_op.hpp>
#include <cove/runtime/detail/ring_call.hpp>

#include <cstddef>
#include <cstdint>
#include <system_error>

// The system calls of files: the platform's half of file_op.cpp. All repeat themselves after EINTR
// and give -errno for a failure. But for read_cached() they may wait for a disk.

namespace cove::io::detail {

inline constexpr std::int64_t at_cursor = -1;

/// One transfer: `data` and `size` bytes, or `vec` and `count` buffers if `vec` is not null.
struct transfer_piece {
  void* data = nullptr;
  std::size_t size = 0;
  const cove::detail::io_vec* vec = nullptr;
  std::int64_t offset = at_cursor;
};

/// Buffers that the system takes in one call.
std::size_t vec_most() noexcept;

std::int64_t read_file(int fd, const transfer_piece& piece) noexcept;
std::int64_t write_file(int fd, const transfer_piece& piece) noexcept;

/// What became of an attempt to read what the system has at hand.
enum class cached : std::uint8_t {
  given,   ///< `n` bytes; 0 at the end of the file; or -errno.
  waits,   ///< Not without waiting,
  unable,  ///< which this file cannot say, now or ever.
};
cached read_cached(int fd, const transfer_piece& piece, std::int64_t& n) noexcept;

std::int64_t sync_file(int fd, bool data_only) noexcept;
std::int64_t truncate_file(int fd, std::int64_t size) noexcept;

enum class seek_base : std::uint8_t { begin, current, end };
std::int64_t seek_file(int fd, std::int64_t offset, seek_base base) noexcept;

/// The flags of open(2).
int open_flags(const open_options& options) noexcept;
/// A descriptor, close-on-exec from the first moment.
std::int64_t open_file(const char* path, int flags, std::uint32_t mode) noexcept;

/// Gives the number back; the code is what the system says.
std::error_code close_file(int fd) noexcept;

/// What an adopted number is open for. Errors: bad_file_descriptor; invalid_argument for a socket
/// or a pipe.
struct open_traits {
  bool reads;
  bool writes;
  bool appends;
  bool direct;
};
std::error_code look_at(int fd, open_traits& into) noexcept;

}  // namespace cove::io::detail
