#include "standard_streams.hpp"

#include <cove/io/detail/native.hpp>
#include <cove/io/standard_streams.hpp>
#include <cove/runtime/detail/own_number.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace cove::io::detail {
namespace {

using cove::detail::descriptor;
using cove::detail::descriptor_kind;

/// Opens what `number` is once more; -1 if that is not possible, or would be something else: the
/// master's side of pseudo-terminals makes a new pair each time it is opened.
int open_again(int number, bool to_read) noexcept {
  struct stat before{};
  const auto multiplexer = makedev(5, 2);
  if (::fstat(number, &before) != 0 || (S_ISCHR(before.st_mode) && before.st_rdev == multiplexer))
    return -1;
  char path[] = "/proc/self/fd/0";
  path[sizeof path - 2] = static_cast<char>('0' + number);
  const int flags = (to_read ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  const int fd = cove::detail::own_number(::open(path, flags));
  if (fd < 0) return -1;
  struct stat now{};
  if (::fstat(fd, &now) == 0 && now.st_dev == before.st_dev && now.st_ino == before.st_ino &&
      now.st_rdev == before.st_rdev)
    return fd;
  ::close(fd);
  return -1;
}

bool is_socket(native_kind kind) noexcept {
  return kind == native_kind::tcp_stream || kind == native_kind::tcp_listener ||
         kind == native_kind::tcp_idle || kind == native_kind::other_socket;
}

}  // namespace

standard_stream open_standard(int number, bool to_read, const char* name) {
  const native_kind kind = require_open(name, number);
  const access_mode how = access_of(number);
  if (to_read ? !how.reads : !how.writes)
    throw error(std::make_error_code(std::errc::bad_file_descriptor), name,
                to_read ? "it was not opened for reading" : "it was not opened for writing");
  standard_stream made;
  made.number = number;
  made.terminal = kind == native_kind::terminal;
  if (kind == native_kind::pipe || kind == native_kind::terminal)
    if (const int fd = open_again(number, to_read); fd >= 0) {
      made.waits = true;
      // As what it was opened from, a FIFO has ended when nobody writes it any more: no `pipe`,
      // which waits for the first writer.
      made.own = descriptor(fd, descriptor_kind::other);
      return made;
    }
  const result<int> same = duplicate(number);
  if (!same) throw error(same.error(), name);
  made.waits = !is_always_ready(kind) && (is_socket(kind) || can_wait(*same));
  made.own = descriptor(*same, is_socket(kind) ? descriptor_kind::socket : descriptor_kind::shared);
  return made;
}

io_result read_waiting(int fd, void* buffer, std::size_t size) noexcept {
  for (;;) {
    const ssize_t n = ::read(fd, buffer, size);
    if (n >= 0) return {static_cast<std::size_t>(n), {}};
    if (errno != EINTR) return {0, system_error_code(errno)};
  }
}

io_result write_waiting(int fd, const void* buffer, std::size_t size) noexcept {
  for (;;) {
    const ssize_t n = ::write(fd, buffer, size);
    if (n >= 0) return {static_cast<std::size_t>(n), {}};
    if (errno != EINTR) return {0, system_error_code(errno)};
  }
}

}  // namespace cove::io::detail
