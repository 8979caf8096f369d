#include "netpoll/epoll.hpp"

#include "netpoll/epoll_wait.hpp"

#include <cove/runtime/error.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace cove::netpoll {
namespace {

constexpr int batch_size = 128;
constexpr std::uint64_t waker_tag = ~std::uint64_t{0};

std::uint64_t tag(const poll_desc& desc) noexcept {
  return static_cast<std::uint64_t>(desc.generation()) << 32 | desc.index;
}

std::uint32_t flags_of(std::uint32_t events) noexcept {
  std::uint32_t flags = 0;
  if ((events & EPOLLHUP) != 0) flags |= hung_up;
  if ((events & EPOLLRDHUP) != 0) flags |= peer_finished;
  if ((events & EPOLLERR) != 0) flags |= failed;
  if ((events & EPOLLPRI) != 0) flags |= urgent;
  return flags;
}

}  // namespace

struct epoll::batch {
  epoll_event events[batch_size];
};

epoll::epoll(desc_table& table) : table_(table), fd_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (fd_ < 0) throw error(system_error_code(errno), "epoll_create1");
  // Level-triggered, so that a poll() that leaves the wake-up alone leaves it for wait().
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = waker_tag;
  if (::epoll_ctl(fd_, EPOLL_CTL_ADD, waker_.fd(), &event) != 0) {
    const int why = errno;
    ::close(fd_);
    throw error(system_error_code(why), "epoll_ctl of the waker");
  }
}

epoll::~epoll() { ::close(fd_); }

std::error_code epoll::open(poll_desc& desc) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.u64 = tag(desc);
  if (::epoll_ctl(fd_, EPOLL_CTL_ADD, desc.fd, &event) != 0) return system_error_code(errno);
  watched_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

bool epoll::close(poll_desc&) noexcept {
  watched_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void epoll::poll(unsigned, detail::task_list& ready) noexcept {
  batch events;
  const int count = ::epoll_wait(fd_, events.events, batch_size, 0);
  deliver(events, count, ready);
}

void epoll::wait(std::int64_t delay_ns, detail::task_list& ready) noexcept {
  if (!waker_.block()) return poll(no_lane, ready);
  batch events;
  const int count = epoll_wait_for(fd_, events.events, batch_size, delay_ns);
  waker_.unblock(deliver(events, count, ready));
}

bool epoll::deliver(const batch& events, int count, detail::task_list& ready) noexcept {
  bool rung = false;
  for (int i = 0; i < count; ++i) {  // A failed wait (EINTR) counts below zero: nothing happened.
    const epoll_event& event = events.events[i];
    if (event.data.u64 == waker_tag) {
      rung = true;
      continue;
    }
    poll_desc& desc = table_.at(static_cast<std::uint32_t>(event.data.u64));
    // Latch before the slots turn ready: a reader that was woken must see why.
    if (!desc.latch(static_cast<std::uint32_t>(event.data.u64 >> 32), flags_of(event.events)))
      continue;
    if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0)
      if (detail::task_ctl* task = desc.at(direction::read).event(); task != nullptr)
        if (task->word.complete()) ready.push(*task);
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
      if (detail::task_ctl* task = desc.at(direction::write).event(); task != nullptr)
        if (task->word.complete()) ready.push(*task);
  }
  return rung;
}

}  // namespace cove::netpoll
