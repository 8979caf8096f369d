#pragma once

#include <cove/runtime/time.hpp>

#include <cstdint>

namespace cove::io {

/// What a name in a file system stands for.
enum class file_kind : std::uint8_t {
  regular,
  directory,
  symlink,
  fifo,
  socket,
  block_device,
  character_device,
  unknown,
};

/// A moment as file systems keep it, on the clock of the wall.
using file_time = std::chrono::sys_time<std::chrono::nanoseconds>;

/// What the system knows of a file: the answer of file::stat(), fs::stat() and fs::lstat().
///
/// Threads:  a value.
/// Units:    bytes; nanoseconds since 1970 (UTC), of which some file systems keep fewer digits.
/// Source:   statx(2).
struct file_status {
  std::uint64_t size = 0;
  file_kind kind = file_kind::unknown;
  std::uint32_t mode = 0;  ///< Permissions, with set-user-id, set-group-id and sticky: 07777.
  std::uint32_t user = 0;  ///< Numbers of the owner and of the group.
  std::uint32_t group = 0;
  std::uint64_t links = 0;   ///< Names that it has.
  std::uint64_t device = 0;  ///< With `inode`, what makes it this file and no other.
  std::uint64_t inode = 0;
  std::uint64_t allocated = 0;   ///< Bytes on the disk: fewer than `size` where it has holes.
  std::uint32_t block_size = 0;  ///< What the file system would like to transfer at once.

  file_time modified;  ///< The contents.
  file_time accessed;
  file_time changed;  ///< The contents or what stands here.
  file_time created;  ///< 1970 where the file system does not keep it.

  /// Is it a file that holds bytes?
  bool is_regular() const noexcept { return kind == file_kind::regular; }
  /// Does it hold other names?
  bool is_directory() const noexcept { return kind == file_kind::directory; }
  /// Does it hold the path of something else? Only fs::lstat() tells.
  bool is_symlink() const noexcept { return kind == file_kind::symlink; }
};

}  // namespace cove::io
