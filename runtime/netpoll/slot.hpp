#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/task_ctl.hpp>

#include <cstdint>

// The slot of one direction of a descriptor: who waits there, or whether something happened.
//
//   nil    nothing known, nobody waits
//   ready  an event came while nobody waited, since the holder last stored nil
//   task   the holder of the direction has armed its operation and is parked, or about to be
//   task+busy  (completion backends) somebody is just asking that task to end
//
//   holder   prepare   any of nil, ready -> nil      before its system call
//            arm       nil -> task, or consumes ready
//            withdraw  task -> nil
//            release   task -> nil                   (completion backends; waits while busy)
//   poll     event     nil -> ready, task -> nil     returns the task: its waking is the event
//   closer   evict     task -> nil                   returns it: the caller owes the completion
//            borrow    task -> task+busy -> task     (completion backends)
//
// Whoever removes a task owes it exactly one completion, or is its owner. Only the holder stores
// nil over ready, and it does so before the system call whose answer it will believe: an edge that
// comes after that call sets ready again and is not lost. A task that an event woke makes its call
// again; if it was asked to end meanwhile it makes none, but then the next operation does.
//
// An event that finds ready leaves it, by a load alone. If the holder stores nil just then, is the
// event lost? Either the holder's system call sees what the event was about. Or that call came
// first, under the kernel's locks; then the store came before the event, and the load sees it.

namespace cove::netpoll {

class slot {
 public:
  void reset() noexcept { word_.store(nil, std::memory_order_relaxed); }

  void prepare() noexcept {
    // A load decides in the common case. seq_cst exchange: the store must not stay in this
    // processor's buffer while the system call already looks for data; release would allow it.
    if (word_.load(std::memory_order_relaxed) != nil)
      word_.exchange(nil, std::memory_order_seq_cst);
  }

  /// True if armed; false if an event was there, which is consumed: try the system call again.
  bool arm(detail::task_ctl& task) noexcept {
    std::uintptr_t word = nil;
    // seq_cst: publishes the task, then reads whether the gate is closed; close() does the reverse.
    if (word_.compare_exchange_strong(word, pack(task), std::memory_order_seq_cst)) return true;
    COVE_ASSERT(word == ready);
    word_.exchange(nil, std::memory_order_seq_cst);  // seq_cst: as prepare().
    return false;
  }

  /// True if the task was taken back; false if its completion is on the way.
  bool withdraw(detail::task_ctl& task) noexcept {
    std::uintptr_t word = pack(task);
    return word_.compare_exchange_strong(word, nil, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  /// Poll: something happened.
  detail::task_ctl* event() noexcept {
    // seq_cst: a holder stores nil and then reads what was latched; the poller latched and reads.
    std::uintptr_t word = word_.load(std::memory_order_seq_cst);
    while (word != ready) {
      const std::uintptr_t next = word == nil ? ready : nil;
      // acq_rel: acquires the parked task, releases what the poller latched before.
      if (word_.compare_exchange_weak(word, next, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
        return unpack(word);
    }
    return nullptr;
  }

  /// Closer: the task that was removed, to be completed by the caller.
  detail::task_ctl* evict() noexcept {
    // seq_cst: reads after the gate was closed; the other half of arm().
    std::uintptr_t word = word_.load(std::memory_order_seq_cst);
    while (word != nil && word != ready)
      if (word_.compare_exchange_weak(word, nil, std::memory_order_seq_cst)) return unpack(word);
    return nullptr;
  }

  /// Closer on a completion backend: keeps the task from going on until give_back().
  detail::task_ctl* borrow() noexcept {
    // seq_cst: as evict().
    std::uintptr_t word = word_.load(std::memory_order_seq_cst);
    while (word != nil && word != ready && (word & busy) == 0)
      if (word_.compare_exchange_weak(word, word | busy, std::memory_order_seq_cst))
        return unpack(word);
    return nullptr;
  }
  void give_back(detail::task_ctl& task) noexcept {
    // release: the holder that waits in release() sees the asking finished.
    word_.store(pack(task), std::memory_order_release);
  }

  /// Holder on a completion backend: its operation has ended.
  void release(detail::task_ctl& task) noexcept {
    std::uintptr_t word = pack(task);
    // acquire: pairs with give_back(). The borrower holds it for a few instructions.
    while (!word_.compare_exchange_weak(word, nil, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      if (word == nil || word == ready) return;
      word = pack(task);
    }
  }

  bool is_ready() const noexcept { return word_.load(std::memory_order_relaxed) == ready; }

 private:
  static constexpr std::uintptr_t nil = 0;
  static constexpr std::uintptr_t ready = 2;
  static constexpr std::uintptr_t busy = 1;

  static std::uintptr_t pack(detail::task_ctl& task) noexcept {
    return reinterpret_cast<std::uintptr_t>(&task);
  }
  static detail::task_ctl* unpack(std::uintptr_t word) noexcept {
    word &= ~busy;
    return word == nil || word == ready ? nullptr : reinterpret_cast<detail::task_ctl*>(word);
  }

  detail::atomic<std::uintptr_t> word_{nil};
};

}  // namespace cove::netpoll
