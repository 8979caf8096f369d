#include "netpoll/waker.hpp"

#include <cove/runtime/detail/own_number.hpp>
#include <cove/runtime/error.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace cove::netpoll {

waker::waker() : fd_(detail::own_number(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))) {
  if (fd_ < 0)
    throw error(system_error_code(errno), "eventfd",
                "the runtime needs a descriptor to wake its poller");
}

waker::~waker() { ::close(fd_); }

void waker::ring() noexcept {
  const std::uint64_t one = 1;
  // Cannot fail: the counter would have to overflow, and the descriptor is ours.
  while (::write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void waker::drain() noexcept {
  std::uint64_t count = 0;
  while (::read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

}  // namespace cove::netpoll
