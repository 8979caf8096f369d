#include "netpoll/epoll_instance.hpp"

#include "netpoll/epoll_wait.hpp"
#include "netpoll/waker.hpp"

#include <cove/runtime/detail/own_number.hpp>
#include <cove/runtime/error.hpp>

#include <unistd.h>

#include <cerrno>

namespace cove::netpoll {
namespace {

constexpr std::uint64_t waker_tag = ~std::uint64_t{0};

/// Takes the waker's event out of the batch.
void part(epoll_instance::batch& from) noexcept {
  from.rung = false;
  for (int i = 0; i < from.count; ++i) {
    if (from.events[i].data.u64 != waker_tag) continue;
    from.events[i] = from.events[--from.count];
    from.rung = true;
    return;
  }
}

}  // namespace

epoll_instance::epoll_instance(const waker& bell)
    : fd_(detail::own_number(::epoll_create1(EPOLL_CLOEXEC))) {
  if (fd_ < 0) throw error(system_error_code(errno), "epoll_create1");
  // Level-triggered, so that a collect() that leaves the wake-up alone leaves it for wait().
  if (const std::error_code why = control(EPOLL_CTL_ADD, bell.fd(), EPOLLIN, waker_tag); why) {
    ::close(fd_);
    throw error(why, "epoll_ctl of the waker");
  }
}

epoll_instance::~epoll_instance() { ::close(fd_); }

std::error_code epoll_instance::control(int what, int fd, std::uint32_t events,
                                        std::uint64_t tag) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(fd_, what, fd, &event) == 0 ? std::error_code() : system_error_code(errno);
}

void epoll_instance::collect(batch& into) noexcept {
  into.count = ::epoll_wait(fd_, into.events, batch::room, 0);
  part(into);
}

void epoll_instance::wait(batch& into, std::int64_t delay_ns) noexcept {
  into.count = epoll_wait_for(fd_, into.events, batch::room, delay_ns);
  part(into);
}

}  // namespace cove::netpoll
