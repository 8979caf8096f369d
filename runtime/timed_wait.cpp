#include <cove/runtime/detail/timed_wait.hpp>

#include "clock.hpp"
#include "set_timer.hpp"

#include "sched/processor.hpp"

#include <new>

// The protocol stands in the header.

namespace cove::detail {

void roused::end(timed_wait& which) noexcept {
  if (which.rouse()) ended_.push(which);
}

void roused::call(timed_wait& which) noexcept {
  if (!which.rouse()) return;
  which.next_called_ = called_;
  called_ = &which;
}

void roused::wake() noexcept {
  ended_.wake();
  while (called_ != nullptr) {
    timed_wait& each = *called_;
    called_ = each.next_called_;  // Read before it may go on.
    detail::wake(each);
  }
}

const operation_type timed_wait::moves{"wait", advance, withdraw, refuse};

timed_wait::timed_wait(const char* verb, const timed_type& kind, spin_lock& lock,
                       wait_list& list) noexcept
    : waiter(moves), kind_(kind), lock_(lock), list_(list) {
  name = verb;
  timer_node::fire = fire;
}

void timed_wait::check_ended() const {
  if (stopped != stop_reason::none) throw_stopped(stopped, name);
  if (out_of_memory_) throw std::bad_alloc();
}

bool timed_wait::advance(operation& op, task_ctl& task, sched::processor& p) noexcept {
  timed_wait& self = of(op);
  self.disarm();
  const stop_reason why = self.cause != stop_reason::none ? self.cause : glance(task);
  roused owed;
  std::int64_t look_ns = never_ns;
  bool ended = false;
  {
    const spin_guard guard(self.lock_);
    self.who = reinterpret_cast<std::uintptr_t>(&task);
    ended = self.ends(why, owed);
    self.awake_ = ended;
    look_ns = self.until_ns;
  }
  owed.wake();
  return ended || !self.arm(task, p, look_ns);
}

/// An answer that is there already goes before a request.
bool timed_wait::ends(stop_reason why, roused& owed) noexcept {
  if (phase == state::granted) return true;
  if (why == stop_reason::none) return kind_.look(*this, now_ns(), owed);
  stopped = why;
  leave(owed);
  return true;
}

/// Leaves the list, if it is in it.
bool timed_wait::leave(roused& owed) noexcept {
  if (!list_.withdraw(*this)) return false;
  if (kind_.left != nullptr) kind_.left(*this, owed);
  return true;
}

/// False without memory: then the wait has ended, unless it was roused meanwhile and looks again.
bool timed_wait::arm(task_ctl& task, sched::processor& p, std::int64_t look_ns) noexcept {
  if (look_ns == never_ns) return true;
  armed_on_ = set_timer(p, task, *this, look_ns);
  if (armed_on_ != nullptr) return true;
  roused owed;
  {
    const spin_guard guard(lock_);
    if (!rouse()) return true;
    out_of_memory_ = true;
    leave(owed);
  }
  owed.wake();
  return false;
}

void timed_wait::disarm() noexcept {
  if (armed_on_ != nullptr) std::exchange(armed_on_, nullptr)->timers.remove(*this);
}

bool timed_wait::withdraw(operation& op, task_ctl&, sched::processor&) noexcept {
  timed_wait& self = of(op);
  roused owed;
  {
    const spin_guard guard(self.lock_);
    if (!self.rouse()) return false;
    self.leave(owed);
  }
  self.disarm();
  owed.wake();
  return true;
}

void timed_wait::refuse(operation& op, stop_reason why) noexcept { of(op).stopped = why; }

/// Runs under the heap's lock.
void timed_wait::fire(timer_node& node, void* sink) noexcept {
  timed_wait& self = static_cast<timed_wait&>(node);
  {
    const spin_guard guard(self.lock_);
    if (!self.rouse()) return;
  }
  task_ctl& task = *self.task_;
  if (task.word.complete()) static_cast<task_list*>(sink)->push(task);
}

}  // namespace cove::detail
