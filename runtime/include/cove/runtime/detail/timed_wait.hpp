#pragma once

#include <cove/runtime/detail/result_of.hpp>
#include <cove/runtime/detail/timer_node.hpp>
#include <cove/runtime/detail/wait_list.hpp>

#include <utility>

// A waiter with a timer of its own: for what comes with time, but may come or move meanwhile.
//
// To set a timer takes a processor, so only the worker that owns the task sets and removes this
// one. Everybody else, from any thread, can only wake the waiter: because its wait has ended, or to
// have it look again. A moment that moves earlier wakes the waiters, and they set their timers
// anew. One that moves later wakes nobody: the timer comes too early and the waiter looks again.
// The coroutine sees none of this, for looking is done by the worker, on its own stack.
//
// A waiter, under the primitive's lock
//   awake  -> asleep   look() found no end; it is in the primitive's list
//   asleep -> awake    rouse(): who does that owes it one wake()
// An awake one is about to look, or its timer has just woken it: it is granted without a wake-up,
// and cannot be withdrawn any more. So each time it sleeps it is completed once, by whoever roused
// it: a granter, a caller, or its timer.
//
// Locks: a firing timer holds its heap's lock and takes the primitive's. So nothing of a heap is
// called under the lock of a primitive.
//
// Lifetime: a wait ends by advance() or withdraw(), and both remove the timer before; that waits
// for a firing which has begun. So the timer touches neither frame nor primitive after the wait.
// Whoever rouses touches nothing of the primitive after its lock was given back, as in wait_list.
//
// Orders: as in wait_list, all is under the lock, and travels with the completion.

namespace cove::detail {

class timed_wait;

/// The waiters that were roused under one lock, to be woken when it has been given back.
class roused {
 public:
  /// It was granted.
  void end(timed_wait& which) noexcept;
  /// It is to look again, and stays in its list.
  void call(timed_wait& which) noexcept;

  void wake() noexcept;

 private:
  granted_list ended_;
  timed_wait* called_ = nullptr;
};

/// The moves of one kind of timed wait. Both run under the primitive's lock.
struct timed_type {
  /// Takes what there is at `now_ns`, for itself and for others. True: the wait has ended. False:
  /// it is in the list, and `until_ns` says when to look again.
  bool (*look)(timed_wait& self, std::int64_t now_ns, roused& owed) noexcept;
  /// It has left the list without an answer. Null if nobody has to know.
  void (*left)(timed_wait& self, roused& owed) noexcept;
};

class timed_wait : public awaitable_base, public waiter, private timer_node {
 public:
  /// Ready or not is one look under the lock, which advance() takes; it does not go on for ever.
  bool await_ready() noexcept {
    --task_->budget;
    return false;
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> frame) noexcept {
    return suspend(*task_, *this, frame);
  }

  stop_reason broken_off() const noexcept { return stopped; }

  /// Under the primitive's lock: when to look again.
  std::int64_t until_ns = never_ns;

 protected:
  timed_wait(const char* verb, const timed_type& kind, spin_lock& lock, wait_list& list) noexcept;
  ~timed_wait() = default;

  /// For await_resume(): throws if the wait was broken off.
  void check_ended() const;

 private:
  friend class roused;

  static timed_wait& of(operation& op) noexcept { return static_cast<timed_wait&>(op); }
  static bool advance(operation& op, task_ctl& task, sched::processor& p) noexcept;
  static bool withdraw(operation& op, task_ctl&, sched::processor&) noexcept;
  static void refuse(operation& op, stop_reason why) noexcept;
  static void fire(timer_node& node, void* sink) noexcept;

  /// True if the caller owes it a wake(). Under lock_.
  bool rouse() noexcept { return !std::exchange(awake_, true); }
  bool ends(stop_reason why, roused& owed) noexcept;  // Under lock_.
  bool arm(task_ctl& task, sched::processor& p, std::int64_t look_ns) noexcept;
  void disarm() noexcept;
  bool leave(roused& owed) noexcept;  // Under lock_.

  static const operation_type moves;

  // Constant.
  const timed_type& kind_;
  spin_lock& lock_;
  wait_list& list_;

  // Under lock_.
  bool awake_ = true;
  // Whoever roused it, until it is woken.
  timed_wait* next_called_ = nullptr;

  // Whoever owns the task.
  bool out_of_memory_ = false;
  sched::processor* armed_on_ = nullptr;
};

}  // namespace cove::detail
