#pragma once

#include "sched/asymmetric_fence.hpp"

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/spin_lock.hpp>

#include <cstdint>

// A worker that blocks loses its processor.
//
// The problem. User code blocks its thread without saying so: it reads a file, resolves a name,
// locks a mutex. The processor that the thread holds, with all that is queued there, should go to
// another thread; and the blocked one may come back in any moment, and then spawns or wakes at
// once. So every entry into the runtime has to learn whether the processor is still there, at
// next to no cost, and sysmon has to take it away without the thread's help.
//
//   inside   the thread is in the runtime: in its loop, or in an entry; the worker alone writes it
//   asked    bit 0: sysmon wants the processor, or has taken it. Set under the lock by sysmon;
//            cleared under the lock by sysmon, which gave up, or by the worker, which has seen it.
//   p        the processor (machine::p). The worker's own; sysmon's between steps 3 and 4.
//
//   worker, enter()                      sysmon, take(), under the lock
//     1. inside = true                     1. asked = 1
//     2. light fence                       2. heavy fence
//     3. read asked: 0, p is ours          3. read inside: true, asked = 0, the worker keeps it
//        1: lock and unlock, which waits      false: p is ours if it is the one that was meant
//        for 4; clear; p tells what became 4. p = null; the processor is idle, for anybody
//   worker, leave(): inside = false
//
// Each side writes, fences and reads what the other one writes, as two who greet in a doorway
// (Dekker). If sysmon reads false in 3, then the worker's next step 1 takes effect behind the heavy
// fence, and its step 3 reads 1. If the worker reads 0, its step 1 came before the heavy fence, and
// sysmon reads true.
//
// Orders. leave() releases and 3 of sysmon acquires: what the worker did with the processor is seen
// by whoever holds it next. That p is gone is told to the worker by the lock; that sysmon has
// looked at it and left it, by the release with which it stops asking and the acquire of the
// worker's 3.
//
// Where the system has no heavy fence, `asked` holds bit 1 for ever: then each entry takes the slow
// way, and there a full fence stands between 1 and a second 3. The quick way has no branch for it.
//
// Designs rejected (figures for enter and leave together): compare-exchange on a state, twice, 22
// ns; once, 11 ns; a seq_cst store, 8 ns. This takes six instructions (bench/entry_cost).

namespace cove::sched {

class processor;

template <class Fence>
class basic_tenure {
 public:
  basic_tenure() noexcept : asked_(Fence::available() ? 0 : no_heavy_fence) {}
  basic_tenure(const basic_tenure&) = delete;
  basic_tenure& operator=(const basic_tenure&) = delete;

  /// The worker is in the runtime from here on; afterwards machine::p tells whether it still has
  /// its processor. Gives what leave() is to be told: entries nest.
  std::uint8_t enter() noexcept {
    const std::uint8_t before = inside_.load(std::memory_order_relaxed);
    // acquire: pairs with ask_no_more() of sysmon, which has read what is changed from here on.
    inside_.store(1, std::memory_order_relaxed);
    Fence::light();
    if (asked_.load(std::memory_order_acquire) != 0) [[unlikely]]
      look();
    return before;
  }
  void leave(std::uint8_t before) noexcept { inside_.store(before, std::memory_order_release); }

  /// Any thread: a hint. If false, what the worker wrote of itself before it left is there.
  bool inside() const noexcept { return inside_.load(std::memory_order_acquire) != 0; }

  /// sysmon: takes the processor `wanted` from the worker whose machine::p is `held`, if it is in
  /// user code with it. `then` is called while the worker cannot learn of it yet.
  template <class Then>
  bool take(processor*& held, processor& wanted, Then then) noexcept {
    const detail::spin_guard guard(lock_);
    if (!shut_out() || held != &wanted) return ask_no_more(), false;
    held = nullptr;
    then();
    return true;
  }

  /// sysmon: calls `look` if the worker is in user code, and keeps it from coming in meanwhile:
  /// what it has published of its task stays.
  template <class Look>
  bool hold_still(Look look) noexcept {
    const detail::spin_guard guard(lock_);
    const bool was_asked = (asked_.load(std::memory_order_relaxed) & taking) != 0;
    const bool out = shut_out();
    if (out) look();
    if (!was_asked) ask_no_more();
    return out;
  }

 private:
  static constexpr std::uint32_t taking = 1;
  static constexpr std::uint32_t no_heavy_fence = 2;

  /// Steps 1 to 3, under the lock: true if the worker is in user code.
  bool shut_out() noexcept {
    asked_.fetch_or(taking, std::memory_order_relaxed);
    bool fenced = true;
    if (asked_.load(std::memory_order_relaxed) == taking)
      fenced = Fence::heavy();
    else
      detail::thread_fence(std::memory_order_seq_cst);  // seq_cst: the heavy one's stand-in.
    // acquire: pairs with leave().
    return fenced && inside_.load(std::memory_order_acquire) == 0;
  }
  // release: see enter().
  void ask_no_more() noexcept { asked_.fetch_and(~taking, std::memory_order_release); }

  [[gnu::noinline]] void look() noexcept {
    detail::thread_fence(std::memory_order_seq_cst);  // seq_cst: for want of a heavy one.
    // acquire: as in enter().
    if ((asked_.load(std::memory_order_acquire) & taking) == 0) return;
    const detail::spin_guard guard(lock_);
    ask_no_more();
  }

  // No atomic<bool>: GCC makes each load of one true or false anew, which takes two instructions.
  detail::atomic<std::uint8_t> inside_{1};
  detail::atomic<std::uint32_t> asked_;
  detail::spin_lock lock_;
};

using tenure = basic_tenure<asymmetric_fence>;

}  // namespace cove::sched
