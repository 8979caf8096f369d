#include "netpoll/epoll.hpp"

namespace cove::netpoll {
namespace {

std::uint32_t flags_of(std::uint32_t events) noexcept {
  std::uint32_t flags = 0;
  if ((events & EPOLLHUP) != 0) flags |= hung_up;
  if ((events & EPOLLRDHUP) != 0) flags |= peer_finished;
  if ((events & EPOLLERR) != 0) flags |= failed;
  if ((events & EPOLLPRI) != 0) flags |= urgent;
  return flags;
}

}  // namespace

std::error_code epoll::open(poll_desc& desc) noexcept {
  constexpr std::uint32_t everything = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  const std::error_code why = epoll_.control(EPOLL_CTL_ADD, desc.fd, everything, desc.tag());
  if (!why) watched_.fetch_add(1, std::memory_order_relaxed);
  return why;
}

bool epoll::close(poll_desc& desc) noexcept {
  watched_.fetch_sub(1, std::memory_order_relaxed);
  // A thread that looks for events holds each file it looks at, and whoever lets go of a socket
  // last closes it: a port could still be taken for a moment after close() returned. Removal waits
  // for the look. A stream holds no port that somebody could want, and does without the call; but
  // one that stays open elsewhere would go on reporting.
  if (!desc.is_tcp() || desc.released)
    static_cast<void>(epoll_.control(EPOLL_CTL_DEL, desc.fd, 0, 0));
  return true;
}

void epoll::poll(unsigned, detail::task_list& ready) noexcept {
  epoll_instance::batch events;
  epoll_.collect(events);
  deliver(events, ready);
}

void epoll::wait(std::int64_t delay_ns, detail::task_list& ready) noexcept {
  if (!waker_.block()) return poll(no_lane, ready);
  epoll_instance::batch events;
  epoll_.wait(events, delay_ns);
  deliver(events, ready);
  waker_.unblock(events.rung);
}

void epoll::deliver(const epoll_instance::batch& events, detail::task_list& ready) noexcept {
  for (int i = 0; i < events.count; ++i) {
    const epoll_event& event = events.events[i];
    poll_desc& desc = table_.at(poll_desc::index_in(event.data.u64));
    // Latch before the slots turn ready: a reader that was woken must see why.
    if (!desc.latch(poll_desc::generation_in(event.data.u64), flags_of(event.events))) continue;
    if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0)
      desc.report(direction::read, ready);
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
      desc.report(direction::write, ready);
  }
}

}  // namespace cove::netpoll
