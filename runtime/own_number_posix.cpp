#include <cove/runtime/detail/own_number.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace cove::detail {

int own_number(int fd) noexcept {
  if (fd < 0 || fd >= first_own_number) return fd;
  const int moved = own_duplicate(fd);
  const int why = errno;
  ::close(fd);
  errno = why;
  return moved;
}

bool own_numbers(int (&fds)[2]) noexcept {
  for (int& each : fds) each = own_number(each);
  if (fds[0] >= 0 && fds[1] >= 0) return true;
  const int why = errno;
  for (const int each : fds)
    if (each >= 0) ::close(each);
  errno = why;
  return false;
}

int own_duplicate(int fd) noexcept { return ::fcntl(fd, F_DUPFD_CLOEXEC, first_own_number); }

}  // namespace cove::detail
