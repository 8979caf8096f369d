#include "netpoll/epoll_lt.hpp"

#include <cerrno>

// Who waits, and what the kernel has been asked.
//
// The problem. The two directions of a descriptor are waited for by two tasks, on two workers, and
// its events are taken from the kernel by two others; but the kernel keeps one mask a descriptor,
// and EPOLLONESHOT takes all of it back with the first event, whatever that was about.
//
//   interest     what somebody waits for (a bit for each `awaited`), and was not reported since
//   interest_lock  holds interest and the kernel's mask together
//
//   open      kernel: registered, asked for nothing
//   watch     interest: + what;   kernel: armed for all of interest
//   event     interest: - what is reported, to the slots;  kernel: armed for what is left, if any
//   close     interest: nothing;  kernel: forgotten, while the number is still ours
//
// While the lock is free, the kernel is armed for all of interest, or an event that disarmed it is
// on its way to deliver(), which arms it again. So nothing that is waited for is forgotten.
//
// An event may come late: for what was reported since, and then it is dropped; or for what is
// waited for again, and then the task finds that it would block, and watches once more. Either way
// it has disarmed the kernel, so what is left of interest is armed. One that belongs to an earlier
// generation concerns a registration that is gone, and touches nothing.
//
// A task that was taken out of its slot early leaves its interest behind. That costs one report to
// nobody, or to somebody who waits for something else there, and watches once more. Hang-ups and
// errors come unasked, but not twice without being armed: when nobody waits, nothing is armed, and
// nothing spins.
//
// An edge-triggered descriptor needs no removal when it is closed. Here one that a duplicate keeps
// alive would stay armed, so it is removed. Somebody may have closed the number behind our back:
// then there is nothing to remove, watch() says so, and whoever else waits is told to try.
//
// Designs rejected: an atomic mask in place of the lock, each caller arming the kernel again until
// what it armed is what the mask says. It takes the same number of system calls, and a proof.

namespace cove::netpoll {
namespace {

constexpr awaited all_awaited[] = {awaited::in, awaited::urgent, awaited::out};

constexpr std::uint32_t asked_for(awaited what) noexcept {
  switch (what) {
    case awaited::in: return EPOLLIN;
    case awaited::urgent: return EPOLLPRI;
    case awaited::out: return EPOLLOUT;
  }
  return 0;
}

constexpr std::uint8_t bit(awaited what) noexcept {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(what));
}

constexpr std::uint32_t everything = EPOLLIN | EPOLLPRI | EPOLLOUT;

std::uint32_t flags_of(std::uint32_t events) noexcept {
  std::uint32_t flags = 0;
  if ((events & EPOLLHUP) != 0) flags |= hung_up;
  if ((events & EPOLLERR) != 0) flags |= failed;
  return flags;
}

}  // namespace

std::error_code epoll_lt::open(poll_desc& desc) noexcept {
  const std::error_code why = epoll_.control(EPOLL_CTL_ADD, desc.fd, EPOLLONESHOT, desc.tag());
  if (!why) watched_.fetch_add(1, std::memory_order_relaxed);
  return why;
}

bool epoll_lt::close(poll_desc& desc) noexcept {
  watched_.fetch_sub(1, std::memory_order_relaxed);
  const detail::spin_guard guard(desc.interest_lock);
  desc.interest = 0;
  // EBADF, ENOENT: somebody else has closed it, and the kernel has forgotten it by itself.
  static_cast<void>(epoll_.control(EPOLL_CTL_DEL, desc.fd, 0, 0));
  return true;
}

std::error_code epoll_lt::watch(poll_desc& desc, awaited what) noexcept {
  const detail::spin_guard guard(desc.interest_lock);
  desc.interest |= bit(what);
  return ask(desc);
}

/// Under interest_lock.
std::error_code epoll_lt::ask(poll_desc& desc) noexcept {
  std::uint32_t events = EPOLLONESHOT;
  for (const awaited what : all_awaited)
    if ((desc.interest & bit(what)) != 0) events |= asked_for(what);
  return epoll_.control(EPOLL_CTL_MOD, desc.fd, events, desc.tag());
}

void epoll_lt::poll(unsigned, detail::task_list& ready) noexcept {
  epoll_instance::batch events;
  epoll_.collect(events);
  deliver(events, ready);
}

void epoll_lt::wait(std::int64_t delay_ns, detail::task_list& ready) noexcept {
  if (!waker_.block()) return poll(no_lane, ready);
  epoll_instance::batch events;
  epoll_.wait(events, delay_ns);
  deliver(events, ready);
  waker_.unblock(events.rung);
}

void epoll_lt::deliver(const epoll_instance::batch& events, detail::task_list& ready) noexcept {
  for (int i = 0; i < events.count; ++i) deliver(events.events[i], ready);
}

void epoll_lt::deliver(const epoll_event& event, detail::task_list& ready) noexcept {
  poll_desc& desc = table_.at(poll_desc::index_in(event.data.u64));
  const detail::spin_guard guard(desc.interest_lock);
  if (desc.interest == 0) return;  // Closed, or nobody waits: nothing else may be read of it.
  // Latch before the slots turn ready: a task that was woken must see why.
  if (!desc.latch(poll_desc::generation_in(event.data.u64), flags_of(event.events))) return;
  const auto report = [&](std::uint32_t events) {
    for (const awaited what : all_awaited) {
      if ((desc.interest & bit(what)) == 0 || (events & asked_for(what)) == 0) continue;
      desc.interest &= static_cast<std::uint8_t>(~bit(what));
      desc.report(direction_of(what), ready);
    }
  };
  const bool ended = (event.events & (EPOLLHUP | EPOLLERR)) != 0;
  report(ended ? everything : event.events);
  if (desc.interest != 0 && ask(desc)) report(everything);
}

}  // namespace cove::netpoll
