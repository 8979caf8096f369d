#include "file_calls.hpp"

#include <cove/runtime/detail/retry_call.hpp>
#include <cove/runtime/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>

namespace cove::io::detail {

namespace {

using cove::detail::io_vec;
using cove::detail::retry_call;

// The kernel reads the caller's array as it is.
static_assert(sizeof(io_vec) == sizeof(iovec) &&
              offsetof(io_vec, data) == offsetof(iovec, iov_base) &&
              offsetof(io_vec, size) == offsetof(iovec, iov_len));

const iovec* native(const io_vec* parts) noexcept { return reinterpret_cast<const iovec*>(parts); }

/// Linux 5.9 and 5.10 may give 0 for "not without waiting" although the file goes on (readv(2)).
bool zero_may_lie() noexcept {
  static const bool lies = [] {
    utsname system{};
    int major = 0;
    int minor = 0;
    return ::uname(&system) == 0 && std::sscanf(system.release, "%d.%d", &major, &minor) == 2 &&
           major == 5 && (minor == 9 || minor == 10);
  }();
  return lies;
}

}  // namespace

std::size_t vec_most() noexcept { return IOV_MAX; }

std::int64_t read_file(int fd, const transfer_piece& piece) noexcept {
  const auto count = static_cast<int>(piece.size);
  if (piece.vec != nullptr)
    return piece.offset == at_cursor
               ? retry_call([&] { return ::readv(fd, native(piece.vec), count); })
               : retry_call([&] { return ::preadv(fd, native(piece.vec), count, piece.offset); });
  return piece.offset == at_cursor
             ? retry_call([&] { return ::read(fd, piece.data, piece.size); })
             : retry_call([&] { return ::pread(fd, piece.data, piece.size, piece.offset); });
}

std::int64_t write_file(int fd, const transfer_piece& piece) noexcept {
  const auto count = static_cast<int>(piece.size);
  if (piece.vec != nullptr)
    return piece.offset == at_cursor
               ? retry_call([&] { return ::writev(fd, native(piece.vec), count); })
               : retry_call([&] { return ::pwritev(fd, native(piece.vec), count, piece.offset); });
  return piece.offset == at_cursor
             ? retry_call([&] { return ::write(fd, piece.data, piece.size); })
             : retry_call([&] { return ::pwrite(fd, piece.data, piece.size, piece.offset); });
}

namespace {

/// preadv2(), but not as a point of cancellation of POSIX threads: being one costs a tenth of it.
std::int64_t read_without_waiting(int fd, const iovec* parts, int count,
                                  std::int64_t offset) noexcept {
  // Where a register has 64 bits the first one has it all, and the kernel drops the second.
  return ::syscall(SYS_preadv2, fd, parts, count, static_cast<long>(offset),
                   static_cast<long>(offset >> 32), RWF_NOWAIT);
}

}  // namespace

cached read_cached(int fd, const transfer_piece& piece, std::int64_t& n) noexcept {
  const iovec single{piece.data, piece.size};
  const iovec* parts = piece.vec != nullptr ? native(piece.vec) : &single;
  const int count = piece.vec != nullptr ? static_cast<int>(piece.size) : 1;
  n = retry_call([&] { return read_without_waiting(fd, parts, count, piece.offset); });
  switch (n) {
    case -EAGAIN: return cached::waits;
    case -EOPNOTSUPP:
    case -ENOSYS:
    case -EINVAL:  // Before 4.14.
    case -EPERM:   // A filter.
    case -ESPIPE: return cached::unable;
    case 0: return zero_may_lie() ? cached::waits : cached::given;
    default: return cached::given;
  }
}

std::int64_t sync_file(int fd, bool data_only) noexcept {
  return retry_call([&] { return data_only ? ::fdatasync(fd) : ::fsync(fd); });
}

std::int64_t truncate_file(int fd, std::int64_t size) noexcept {
  return retry_call([&] { return ::ftruncate(fd, size); });
}

std::int64_t seek_file(int fd, std::int64_t offset, seek_base base) noexcept {
  static constexpr int bases[] = {SEEK_SET, SEEK_CUR, SEEK_END};
  return retry_call([&] { return ::lseek(fd, offset, bases[static_cast<int>(base)]); });
}

int open_flags(const open_options& options) noexcept {
  static constexpr struct {
    open_choice chosen;
    int flag;
  } table[] = {
      {open_choice::append, O_APPEND},       {open_choice::create, O_CREAT},
      {open_choice::exclusive, O_EXCL},      {open_choice::truncate, O_TRUNC},
      {open_choice::direct, O_DIRECT},       {open_choice::sync_data, O_DSYNC},
      {open_choice::sync, O_SYNC},           {open_choice::no_follow, O_NOFOLLOW},
      {open_choice::directory, O_DIRECTORY},
  };
  int flags = O_CLOEXEC | O_NOCTTY | O_RDONLY;
  if (options.writes()) flags |= options.has(open_choice::read) ? O_RDWR : O_WRONLY;
  for (const auto& each : table)
    if (options.has(each.chosen)) flags |= each.flag;
  return flags;
}

std::int64_t open_file(const char* path, int flags, std::uint32_t mode) noexcept {
  return retry_call([&] { return ::open(path, flags, mode); });
}

std::error_code close_file(int fd) noexcept {
  // Not repeated after EINTR: Linux has given the number back by then.
  if (::close(fd) == 0 || errno == EINTR) return {};
  return system_error_code(errno);
}

std::error_code look_at(int fd, open_traits& into) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return system_error_code(errno);
  struct stat what{};
  if (::fstat(fd, &what) != 0) return system_error_code(errno);
  if (S_ISSOCK(what.st_mode) || S_ISFIFO(what.st_mode)) return system_error_code(EINVAL);
  const int access = flags & O_ACCMODE;
  into.reads = access != O_WRONLY;
  into.writes = access != O_RDONLY;
  into.appends = (flags & O_APPEND) != 0;
  into.direct = (flags & O_DIRECT) != 0;
  return {};
}

}  // namespace cove::io::detail
