#include "file_status.hpp"

#include <cove/runtime/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdint>

namespace cove::io::detail {
namespace {

file_kind kind_of(unsigned mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG: return file_kind::regular;
    case S_IFDIR: return file_kind::directory;
    case S_IFLNK: return file_kind::symlink;
    case S_IFIFO: return file_kind::fifo;
    case S_IFSOCK: return file_kind::socket;
    case S_IFBLK: return file_kind::block_device;
    case S_IFCHR: return file_kind::character_device;
    default: return file_kind::unknown;
  }
}

/// A moment that nanoseconds in 64 bits cannot tell becomes the nearest one that they can.
file_time moment_of(const statx_timestamp& at) noexcept {
  constexpr std::int64_t per_second = 1'000'000'000;
  if (at.tv_sec >= INT64_MAX / per_second) return file_time::max();
  if (at.tv_sec <= INT64_MIN / per_second) return file_time::min();
  return file_time(std::chrono::nanoseconds(at.tv_sec * per_second + at.tv_nsec));
}

std::error_code ask(int folder, const char* path, int flags, file_status& into) noexcept {
  struct statx said{};
  while (::statx(folder, path, flags, STATX_BASIC_STATS | STATX_BTIME, &said) != 0)
    if (errno != EINTR) return system_error_code(errno);
  constexpr std::uint64_t sector = 512;
  into.size = said.stx_size;
  into.kind = kind_of(said.stx_mode);
  into.mode = said.stx_mode & 07777U;
  into.user = said.stx_uid;
  into.group = said.stx_gid;
  into.links = said.stx_nlink;
  into.device = makedev(said.stx_dev_major, said.stx_dev_minor);
  into.inode = said.stx_ino;
  into.allocated = said.stx_blocks * sector;
  into.block_size = said.stx_blksize;
  into.modified = moment_of(said.stx_mtime);
  into.accessed = moment_of(said.stx_atime);
  into.changed = moment_of(said.stx_ctime);
  into.created = (said.stx_mask & STATX_BTIME) != 0 ? moment_of(said.stx_btime) : file_time{};
  return {};
}

}  // namespace

const int current_folder = AT_FDCWD;

std::error_code read_status(int fd, file_status& into) noexcept {
  return ask(fd, "", AT_EMPTY_PATH, into);
}

std::error_code read_status(int folder, const char* path, bool follow, file_status& into) noexcept {
  return ask(folder, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, into);
}

}  // namespace cove::io::detail
