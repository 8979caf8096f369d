#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/result_of.hpp>
#include <cove/runtime/detail/suspend.hpp>

// What locks, events and channels are made of: a list of those who wait, and an operation that
// waits in it.
//
// The primitive has a lock, its state and a list, all under that lock. A waiter is an operation in
// the frame of the task that waits (or on the stack of an ordinary thread that does).
//
//   fresh    -> waiting   begin() found nothing to take and linked the waiter     under the lock
//   waiting  -> granted   somebody gave it what it waits for, and unlinked it     under the lock
//   waiting  -> fresh     withdraw(): the task was asked to end; it is unlinked   under the lock
//   waiting  -> fresh     it would be granted, but a choice had gone elsewhere    under the lock
//
// Who grants, wakes: after the lock was given back, exactly once, as the last access to the waiter.
// So what was given to a waiter that was asked to end in the same moment is its own: withdraw()
// comes too late, the wake-up is on its way, and the await reports that it succeeded. Nothing of
// the primitive is touched after the lock was given back, so whoever was woken may destroy it.
//
// A task that waits in several places and wants one of them (select_core.hpp) has a waiter in each
// and one choice for all of them. Who grants such a waiter claims the choice first; where that
// fails the waiter is unlinked and passed over, and what it waited for goes to the next one.
//
// Orders: all of it is under the lock; what travels with a grant is published by the completion of
// the parking word, as with any operation. Two places have two locks, so a choice is decided by a
// compare-exchange; relaxed, because all that it has to say is who was first.

namespace cove::detail {

/// What the waiters of one select share.
struct choice {
  /// Null -> what was chosen, or that nothing will be; never back. Each claimant has an address of
  /// its own.
  atomic<const void*> taken_by{nullptr};
  /// Whom to wake. Constant once one of the waiters waits.
  task_ctl* task = nullptr;

  /// True for one claimant only: the one that owes the task its completion.
  bool claim(const void* who) noexcept {
    const void* nobody = nullptr;
    return taken_by.compare_exchange_strong(nobody, who, std::memory_order_relaxed);
  }
};

/// Someone who waits for a primitive.
struct waiter : operation {
  explicit waiter(const operation_type& moves) noexcept : operation(moves) {}

  enum class state : std::uint8_t { fresh, waiting, granted };

  state phase = state::fresh;
  /// Why the wait was broken off; none while it was not.
  stop_reason stopped = stop_reason::none;

  waiter* previous = nullptr;  ///< Under the primitive's lock, as is `phase`.
  waiter* next = nullptr;
  /// task_ctl* | parker* + 1 | choice* + 2: whom to wake.
  std::uintptr_t who = 0;

  choice* of_choice() const noexcept {
    return (who & 2) != 0 ? reinterpret_cast<choice*>(who - 2) : nullptr;
  }
};

class granted_list;

/// Those who wait, in the order in which they came.
/// Threads: under the lock of the primitive that has it.
class wait_list {
 public:
  constexpr wait_list() noexcept = default;
  wait_list(const wait_list&) = delete;
  wait_list& operator=(const wait_list&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  waiter* front() const noexcept { return first_; }

  /// fresh -> waiting, behind all others.
  void push_back(waiter& which) noexcept;
  /// fresh -> waiting, before all others.
  void push_front(waiter& which) noexcept;
  /// waiting -> granted: takes it off; the caller owes it wake(). False if its choice has gone
  /// elsewhere: it is off all the same, and fresh.
  bool grant(waiter& which) noexcept;
  /// The same for the first one that can be granted; null if there is none.
  waiter* grant_front() noexcept;
  /// The same for all of them, in their order.
  void grant_all(granted_list& granted) noexcept;
  /// waiting -> fresh. False if it was granted before: it will be woken.
  bool withdraw(waiter& which) noexcept;

 private:
  void unlink(waiter& which) noexcept;

  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
};

/// The waiters that were granted under one lock, to be woken when it has been given back.
class granted_list {
 public:
  constexpr granted_list() noexcept = default;
  granted_list(const granted_list&) = delete;
  granted_list& operator=(const granted_list&) = delete;

  void push(waiter& which) noexcept;
  void push_if(waiter* which) noexcept {
    if (which != nullptr) push(*which);
  }
  bool empty() const noexcept { return first_ == nullptr; }

  /// Wakes all of them, in order; afterwards none of them may be touched. Not under the lock.
  void wake() noexcept;

 private:
  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
};

/// Wakes one that was granted: its last access. Not under the lock. It runs next on this worker if
/// `next`, else behind what is there.
void wake(waiter& granted, bool next = true) noexcept;

/// Waits as a thread that is no worker. `begin` is that of wait_awaiter.
/// Errors: resource_deadlock_would_occur inside a task.
void wait_as_thread(waiter& which, bool (*begin)(waiter&) noexcept);

/// An awaitable that waits in a primitive. `Self` has
///   bool try_now() noexcept     takes what it wants, if it can be had at once; takes the lock
///   bool begin() noexcept       the same, else links itself, in one section
///   bool give_up() noexcept     wait_list::withdraw() under the lock
template <class Self>
class wait_awaiter : public awaitable_base, public waiter {
 public:
  /// Before its start only.
  wait_awaiter(wait_awaiter&& other) noexcept : waiter(moves) { name = other.name; }

  /// Goes on at once if it can, but not for ever: the budget sees to others' turns.
  bool await_ready() noexcept {
    stopped = glance(*task_);
    if (stopped != stop_reason::none) return true;
    if (--task_->budget < 0) return false;  // suspend() gives way first.
    if (!self().try_now()) return false;
    phase = state::granted;
    return true;
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> frame) noexcept {
    return suspend(*task_, *this, frame);
  }

  /// Gives a result of what the await gives, and does not throw.
  auto as_result() && noexcept { return result_of<Self>(static_cast<Self&&>(*this)); }
  stop_reason broken_off() const noexcept { return stopped; }

  /// In place of an await, for a thread that is no worker: blocks it; await_resume() comes next.
  void wait_as_thread() {
    detail::wait_as_thread(*this, [](waiter& which) noexcept { return of(which).begin(); });
  }

 protected:
  explicit wait_awaiter(const char* verb) noexcept : waiter(moves) { name = verb; }
  ~wait_awaiter() = default;

  /// For await_resume(): throws if the wait was broken off.
  void check_granted() const {
    if (stopped != stop_reason::none) throw_stopped(stopped, name);
  }

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }
  static Self& of(operation& op) noexcept {
    return static_cast<Self&>(static_cast<wait_awaiter&>(op));
  }

  static bool advance(operation& op, task_ctl& task, sched::processor&) noexcept {
    Self& waits = of(op);
    if (waits.phase == state::granted) return true;
    waits.stopped = glance(task);
    if (waits.stopped != stop_reason::none) return true;
    waits.who = reinterpret_cast<std::uintptr_t>(&task);
    return waits.begin();
  }
  static bool withdraw(operation& op, task_ctl&, sched::processor&) noexcept {
    return of(op).give_up();
  }
  static void refuse(operation& op, stop_reason why) noexcept { of(op).stopped = why; }

  static constexpr operation_type moves{"wait", advance, withdraw, refuse};
};

}  // namespace cove::detail
