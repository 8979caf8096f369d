#include <cove/runtime/timer.hpp>

#include "clock.hpp"

// The protocol stands in the header.

namespace cove {

using detail::roused;
using detail::spin_guard;
using detail::timer_wait;

/// set -> fired, if it is time.
void timer::settle(std::int64_t now_ns, roused& owed) noexcept {
  if (state_ != state::set || now_ns < when_ns_) return;
  state_ = state::fired;
  end_waits(true, owed);
}

void timer::end_waits(bool fired, roused& owed) noexcept {
  while (detail::waiter* first = waiting_.grant_front()) {
    auto& each = static_cast<timer_wait&>(*first);
    each.fired_ = fired;
    owed.end(each);
  }
}

/// Whoever would look too late looks now.
void timer::call_sleepers(roused& owed) noexcept {
  for (detail::waiter* each = waiting_.front(); each != nullptr; each = each->next) {
    auto& sleeper = static_cast<timer_wait&>(*each);
    if (sleeper.until_ns > when_ns_) owed.call(sleeper);
  }
}

bool timer::set(std::int64_t when_ns) noexcept {
  const std::int64_t now_ns = detail::now_ns();
  roused owed;
  bool moved = false;
  {
    const spin_guard guard(lock_);
    settle(now_ns, owed);
    moved = state_ == state::set;
    state_ = state::set;
    when_ns_ = when_ns;
    settle(now_ns, owed);
    call_sleepers(owed);
  }
  owed.wake();
  return moved;
}

bool timer::cancel() noexcept {
  roused owed;
  bool stopped = false;
  {
    const spin_guard guard(lock_);
    settle(detail::now_ns(), owed);
    stopped = state_ == state::set;
    if (stopped) {
      state_ = state::unset;
      end_waits(false, owed);
    }
  }
  owed.wake();
  return stopped;
}

bool timer::is_pending() const noexcept {
  const spin_guard guard(lock_);
  return state_ == state::set && detail::now_ns() < when_ns_;
}

clock::time_point timer::expiry() const noexcept {
  const spin_guard guard(lock_);
  if (state_ == state::unset) return clock::time_point::max();
  return clock::time_point(clock::duration(when_ns_));
}

namespace detail {

const timed_type timer_wait::kind{look, nullptr};

timer_wait::timer_wait(timer& of) noexcept
    : timed_wait("timer", kind, of.lock_, of.waiting_), of_(&of) {}

bool timer_wait::look(timed_wait& base, std::int64_t now_ns, roused& owed) noexcept {
  timer_wait& self = of(base);
  timer& wanted = *self.of_;
  wanted.settle(now_ns, owed);
  if (wanted.state_ != timer::state::set) {
    if (self.phase == state::fresh) self.fired_ = wanted.state_ == timer::state::fired;
    return true;
  }
  if (self.phase == state::fresh) wanted.waiting_.push_back(self);
  self.until_ns = wanted.when_ns_;
  return false;
}

}  // namespace detail
}  // namespace cove
