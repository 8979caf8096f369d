#include <cove/runtime/strand.hpp>

// The protocol stands in the header.

namespace cove {

using detail::spin_guard;
using detail::strand_place;
using detail::waiter;

void strand::enter(strand_place& place) noexcept {
  const spin_guard guard(lock_);
  if (busy_) return waiting_.push_back(place);
  busy_ = true;
  place.phase = waiter::state::granted;
}

void strand::leave(strand_place& place) noexcept {
  waiter* next = nullptr;
  {
    const spin_guard guard(lock_);
    if (waiting_.withdraw(place)) return;
    runs_.store(nullptr, std::memory_order_relaxed);
    next = waiting_.grant_front();
    busy_ = next != nullptr;
    if (next != nullptr && next->who == 0) next = nullptr;  // Its task has yet to come.
  }
  if (next != nullptr) detail::wake(*next);
}

bool strand::running_in_this_task() const noexcept {
  const detail::task_ctl* task = detail::current_task();
  return task != nullptr && runs_.load(std::memory_order_relaxed) == task;
}

namespace detail {

const operation_type strand_place::moves{"strand", advance, withdraw, refuse};

strand_place::strand_place(strand& in, const task_ctl* by) noexcept
    : waiter(moves), in_(in), nested_(by != nullptr && in.running_in_this_task()) {
  if (nested_)
    phase = state::granted;
  else
    in.enter(*this);
}

strand_place::~strand_place() {
  if (!nested_) in_.leave(*this);
}

bool strand_place::advance(operation& op, task_ctl& task, sched::processor&) noexcept {
  strand_place& self = static_cast<strand_place&>(op);
  if (self.nested_) return true;
  const stop_reason why = self.cause != stop_reason::none ? self.cause : glance(task);
  const spin_guard guard(self.in_.lock_);
  if (self.phase == state::granted) {
    self.in_.runs_.store(&task, std::memory_order_relaxed);
    return true;
  }
  self.stopped = why;
  self.who = why == stop_reason::none ? reinterpret_cast<std::uintptr_t>(&task) : 0;
  return why != stop_reason::none;
}

/// Nobody waits at the place any more; the place itself stays in line.
bool strand_place::withdraw(operation& op, task_ctl&, sched::processor&) noexcept {
  strand_place& self = static_cast<strand_place&>(op);
  const spin_guard guard(self.in_.lock_);
  if (self.phase == state::granted) return false;
  self.who = 0;
  return true;
}

void strand_place::refuse(operation& op, stop_reason why) noexcept {
  static_cast<strand_place&>(op).stopped = why;
}

}  // namespace detail
}  // namespace cove
