#pragma once

#include <cove/runtime/detail/atomic.hpp>

namespace cove::netpoll {

/// The wake-up of a blocked poller through a descriptor, with duplicates taken out in user space.
///
/// State of the word:
///   idle -> blocked     the poller is about to enter the kernel; a writer must ring
///   idle, blocked -> signaled   wake(); only the one that leaves blocked rings
///   any -> idle         the poller has returned
/// A ring that comes after the poller went back to idle makes the next wait return once for
/// nothing, which is harmless; a wake() is never lost, because the poller looks at all queues after
/// it has gone back to idle, and the exchange orders that look behind the waker's stores.
class waker {
 public:
  waker();
  ~waker();
  waker(const waker&) = delete;
  waker& operator=(const waker&) = delete;

  /// The descriptor to watch for input, level-triggered.
  int fd() const noexcept { return fd_; }

  void wake() noexcept {
    // seq_cst: after the waker's stores; the poller stores idle and then reads the queues.
    if (word_.exchange(signaled, std::memory_order_seq_cst) == blocked) ring();
  }
  bool woken() const noexcept { return word_.load(std::memory_order_acquire) == signaled; }

  /// Is somebody blocked, or about to return?
  bool in_use() const noexcept { return word_.load(std::memory_order_seq_cst) != idle; }

  /// Poller: true if it may block now; false if a wake() came before.
  bool block() noexcept {
    int expected = idle;
    if (word_.compare_exchange_strong(expected, blocked, std::memory_order_acq_rel)) return true;
    word_.exchange(idle, std::memory_order_seq_cst);  // seq_cst: see wake().
    return false;
  }
  /// Poller: has returned; `rung` if the descriptor was reported.
  void unblock(bool rung) noexcept {
    if (rung) drain();
    word_.exchange(idle, std::memory_order_seq_cst);  // seq_cst: see wake().
  }

 private:
  static constexpr int idle = 0;
  static constexpr int blocked = 1;
  static constexpr int signaled = 2;

  void ring() noexcept;
  void drain() noexcept;

  detail::atomic<int> word_{idle};
  int fd_ = -1;
};

}  // namespace cove::netpoll
