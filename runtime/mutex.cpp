#include <cove/runtime/mutex.hpp>

#include "clock.hpp"

// The slow paths; the protocol stands in the header.

namespace cove {
namespace {

using detail::mutex_waiter;
using detail::spin_guard;

constexpr std::uint8_t passes_before_handing = 3;
constexpr std::int64_t wait_before_handing_ns = 1'000'000;

/// Who was not passed yet has its turn at once, so nobody looks at the clock for it.
bool is_due(const mutex_waiter& who) noexcept {
  if (who.times_passed == 0) return false;
  return who.times_passed >= passes_before_handing ||
         detail::now_ns() - who.passed_at_ns >= wait_before_handing_ns;
}

}  // namespace

/// Takes the mutex if it is open; else whoever holds it will look at the list.
bool mutex::take_or_want() noexcept {
  for (;;) {
    if (take()) return true;
    state expected = state::held;
    // relaxed: says only "look"; the list itself is under list_lock_.
    if (word_.compare_exchange_strong(expected, state::wanted, std::memory_order_relaxed) ||
        expected == state::wanted)
      return false;
  }
}

/// Nobody is in the list any more, so whoever holds the mutex need not look at it. A word that says
/// `wanted` changes only under list_lock_.
void mutex::unwant_if_empty() noexcept {
  // relaxed: as in take_or_want(); the holder's own exchange releases the section.
  if (waiting_.empty() && word_.load(std::memory_order_relaxed) == state::wanted)
    word_.store(state::held, std::memory_order_relaxed);
}

bool mutex::enter(mutex_waiter& who) noexcept {
  const spin_guard guard(list_lock_);
  // Whoever is called sees to the word when it comes.
  if (called_ ? take() : take_or_want()) return true;
  waiting_.push_back(who);
  return false;
}

bool mutex::come(mutex_waiter& who, bool stay) noexcept {
  if (who.owner) return true;
  const spin_guard guard(list_lock_);
  called_ = false;
  if (take_or_want()) {
    if (!waiting_.empty()) word_.store(state::wanted, std::memory_order_relaxed);
    return true;
  }
  who.phase = detail::waiter::state::fresh;
  if (stay) {
    if (++who.times_passed == 1) who.passed_at_ns = detail::now_ns();
    waiting_.push_front(who);
  }
  unwant_if_empty();
  return false;
}

bool mutex::leave(mutex_waiter& who) noexcept {
  const spin_guard guard(list_lock_);
  if (!waiting_.withdraw(who)) return false;
  unwant_if_empty();
  return true;
}

void mutex::unlock_wanted() noexcept {
  mutex_waiter* first = nullptr;
  {
    const spin_guard guard(list_lock_);
    first = static_cast<mutex_waiter*>(waiting_.grant_front());
    if (first != nullptr) {
      first->owner = is_due(*first);
      if (first->owner) {
        unwant_if_empty();
      } else {
        called_ = true;
        // release: as in unlock().
        word_.store(state::open, std::memory_order_release);
      }
    }
  }
  // The one who waited has left; opened outside of the lock, because then the mutex may go.
  if (first == nullptr) return unlock();
  detail::wake(*first);
}

namespace detail {
namespace {

lock_waiter& as_waiter(operation& op) noexcept { return static_cast<lock_waiter&>(op); }

}  // namespace

bool lock_waiter::advance(operation& op, task_ctl& task, sched::processor&) noexcept {
  lock_waiter& self = as_waiter(op);
  const stop_reason why = self.cause != stop_reason::none ? self.cause : glance(task);
  if (self.phase == state::granted) {
    if (self.wanted->come(self, why == stop_reason::none)) return true;
    self.stopped = why;
    return why != stop_reason::none;
  }
  self.stopped = why;
  if (why != stop_reason::none) return true;
  self.who = reinterpret_cast<std::uintptr_t>(&task);
  return self.wanted->enter(self);
}

bool lock_waiter::withdraw(operation& op, task_ctl&, sched::processor&) noexcept {
  lock_waiter& self = as_waiter(op);
  return self.wanted->leave(self);
}

void lock_waiter::refuse(operation& op, stop_reason why) noexcept { as_waiter(op).stopped = why; }

const operation_type lock_waiter::moves{"lock", advance, withdraw, refuse};

}  // namespace detail
}  // namespace cove
