#include <cove/io/detail/native.hpp>
#include <cove/runtime/detail/own_number.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace cove::io::detail {

bool can_wait(int fd) noexcept {
  const int probe = cove::detail::own_number(::epoll_create1(EPOLL_CLOEXEC));
  if (probe < 0) return true;  // Then whoever waits is told.
  epoll_event event{};
  const bool can = ::epoll_ctl(probe, EPOLL_CTL_ADD, fd, &event) == 0 || errno != EPERM;
  ::close(probe);
  return can;
}

}  // namespace cove::io::detail
