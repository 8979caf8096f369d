#pragma once

#include "netpoll/poll_desc.hpp"
#include "sched/timer_heap.hpp"

#include <cove/runtime/detail/atomic.hpp>

#include <cstdint>

// Sticky deadlines: from a moment on, every operation of one direction of a descriptor fails, until
// the moment is moved later.
//
// The problem. A server moves the deadline of a connection with each request, so moving it must
// cost next to nothing, and so must an operation under it. Any thread may move it, at any time,
// also while an operation waits: that one has to end at the new moment and at no other.
//
// Rejected. A timer an operation: two heap operations each, for something that hardly ever happens.
// A timer that every move sets anew: the same a request, and a thread that is no worker would need
// a processor. A lock around moment and timer: the heap's lock is held while a timer fires, and the
// mover's would be held around the heap.
//
//   when_    the deadline. Any thread stores it.
//   armed_   the moment for which the timer is set; never if it is not set. Written by the holder
//            of the direction while the timer is out of the heap, and by fire() under its lock.
//
// The rule. If an operation waits in the slot, then armed_ <= when_, or it has been roused and is
// on its way. A timer that comes too early looks and sets itself again, so a move to later is a
// store. The timer is set by an operation that has to wait, on its own processor, and stays when
// that has ended: the next one finds it set already.
//
//   set    1. store when_                 wait   1. put the task into the slot
//          2. read armed_                        2. read when_
//             armed_ <= when_: done              3. read armed_; armed_ <= when_: park
//          3. rouse whom the slot holds             else set the timer for when_; again from 2
//
//   fire   1. read when_; has it come: store never in armed_, rouse whom the slot holds
//          2. else store it in armed_; read when_ again: earlier now: back to 1
//          3. put the timer back, for what armed_ says
//
// All of these are seq_cst, because each side stores and then reads what another one stores. Either
// set finds the task or wait finds the new deadline. Either fire finds the task or wait finds the
// timer gone. And if set reads an old armed_ that would have done, fire reads when_ after that and
// finds the new deadline. Acquire and release would let both sides read the old value.
//
// To rouse is to complete without a result: the operation goes on, and before its next system call
// it compares deadline and clock, as it does at its start. So an expiry that was moved away before
// the task ran has never been, and a set to an earlier moment is an operation that sets its own
// timer. On a completion backend the kernel has the operation: its task is asked to end, withdraws
// it, and starts it again if the deadline turns out to be still ahead.
//
// The end. The last operation out of a closed descriptor takes the timers out of their heaps, and
// that is a barrier: no timer ever meets the descriptor that comes after, so none needs to know its
// generation. It does so while the runtime is held (desc_table::while_serving); a runtime that ends
// first has emptied its heaps, and nobody touches them any more.

namespace cove::detail {

/// One direction's deadline.
class io_deadline : private timer_node {
 public:
  io_deadline() noexcept { timer_node::fire = fired; }

  /// The descriptor is known from here on; before anybody else has this.
  void attach(netpoll::poll_desc& desc, netpoll::direction side) noexcept {
    desc_ = &desc;
    side_ = side;
  }

  /// Any thread: has it come? By the clock, whatever the timer says.
  bool passed() const noexcept;

  /// Any thread: sets it. Gives a task that has to be scheduled for it, or nullptr.
  [[nodiscard]] task_ctl* set(std::int64_t moment_ns) noexcept;

  enum class watch : std::uint8_t {
    set,       ///< A timer will fire in time.
    sooner,    ///< And before all others of the heap: a sleeping poller may have to be told.
    no_memory  ///< There is no room for a timer.
  };
  /// The holder of the direction, whose task stands in the slot: sees to the timer.
  watch wait_on(sched::timer_heap& own) noexcept;

  /// Whoever shuts the descriptor, when nobody is inside: the timer is out, and not firing.
  void disarm() noexcept;

 private:
  static void fired(timer_node& node, void* sink) noexcept;
  task_ctl* rouse() noexcept;

  // Any thread.
  atomic<std::int64_t> when_{never_ns};
  atomic<std::int64_t> armed_{never_ns};

  // The holder of the direction; fire() reads it under that heap's lock.
  sched::timer_heap* heap_ = nullptr;  ///< Where the timer was set last.

  // Constant once attached.
  netpoll::poll_desc* desc_ = nullptr;
  netpoll::direction side_ = netpoll::direction::read;
};

/// Both deadlines of a descriptor, made when the first is set: most connections have none, and pay
/// a pointer.
struct io_deadlines {
  io_deadline sides[2];

  io_deadline& at(netpoll::direction d) noexcept { return sides[static_cast<unsigned>(d)]; }
  void attach(netpoll::poll_desc& desc) noexcept {
    at(netpoll::direction::read).attach(desc, netpoll::direction::read);
    at(netpoll::direction::write).attach(desc, netpoll::direction::write);
  }
};

/// nullptr if no deadline was ever set.
inline io_deadline* deadline_of(netpoll::poll_desc& desc, netpoll::direction d) noexcept {
  // seq_cst: "wait", step 2, where the first deadline is only just being set.
  io_deadlines* both = desc.deadlines.load(std::memory_order_seq_cst);
  return both != nullptr ? &both->at(d) : nullptr;
}

/// Nobody is inside the closed descriptor: takes its timers out.
void disarm_deadlines(netpoll::poll_desc& desc) noexcept;

}  // namespace cove::detail
