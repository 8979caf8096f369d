#include "splice.hpp"

#include <cove/runtime/detail/sigpipe_guard.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include <cerrno>

namespace cove::io::detail {
namespace {

// Neither call has a flag that keeps SIGPIPE away. One that is cut short may have raised it, too.
template <class Call>
std::int64_t quietly(std::size_t size, Call call) noexcept {
  cove::detail::sigpipe_guard guard;
  for (;;) {
    const ssize_t moved = call();
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0 ? errno == EPIPE : static_cast<std::size_t>(moved) < size) guard.broke();
    return moved < 0 ? -errno : moved;
  }
}

bool has(int fd, short events) noexcept {
  pollfd what{fd, events, 0};
  while (::poll(&what, 1, 0) < 0)
    if (errno != EINTR) return true;  // The call that follows tells what is wrong.
  return what.revents != 0;
}

}  // namespace

bool cannot_splice(int error) noexcept {
  switch (error) {
    case EINVAL:      // This kind of file, or one opened for appending.
    case ENOSYS:      // This kernel, or a filter's answer.
    case EPERM:       // Another filter's.
    case EOPNOTSUPP:  // This protocol.
    case EOVERFLOW: return true;
    default: return false;
  }
}

std::int64_t splice_once(int from, int to, std::size_t size) noexcept {
  return quietly(size, [&] {
    return ::splice(from, nullptr, to, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  });
}

std::int64_t send_file_once(int file, std::int64_t offset, int to, std::size_t size) noexcept {
  off_t at = offset;
  return quietly(size, [&] { return ::sendfile(to, file, &at, size); });
}

bool is_cached(int file, std::int64_t offset) noexcept {
  char byte = 0;
  const iovec one{&byte, 1};
  return ::preadv2(file, &one, 1, offset, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

bool is_readable(int fd) noexcept { return has(fd, POLLIN); }
bool is_writable(int fd) noexcept { return has(fd, POLLOUT); }

}  // namespace cove::io::detail
