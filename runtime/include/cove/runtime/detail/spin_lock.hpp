#pragma once

// A lock for sections of a few dozen instructions that wait for nothing: list links, heap moves. A
// holder can still be preempted, on a virtual machine for milliseconds, so a waiter spins only
// briefly and then gives its time slice away. What is held longer as a rule, or what a task waits
// for, is no case for this lock.

#include <cove/runtime/detail/atomic.hpp>

#include <cstdint>

namespace cove::detail {

/// Four bytes, constant-initialised, not recursive, not fair.
/// Threads: any; the thread that locked unlocks.
class spin_lock {
 public:
  constexpr spin_lock() noexcept = default;
  spin_lock(const spin_lock&) = delete;
  spin_lock& operator=(const spin_lock&) = delete;

  void lock() noexcept {
    // Acquire pairs with the release in unlock() of the holder before.
    if (word_.exchange(taken, std::memory_order_acquire) != open) [[unlikely]]
      lock_contended();
  }

  /// Takes the lock if it is open; never waits.
  [[nodiscard]] bool try_lock() noexcept {
    // Looking first keeps the cache line shared while the lock is taken.
    return word_.load(std::memory_order_relaxed) == open &&
           word_.exchange(taken, std::memory_order_acquire) == open;
  }

  void unlock() noexcept {
    // Pairs with the acquiring exchange in lock() and try_lock() of the holder after.
    word_.store(open, std::memory_order_release);
  }

 private:
  static constexpr std::uint32_t open = 0;
  static constexpr std::uint32_t taken = 1;

  void lock_contended() noexcept;

  // open -> taken by the exchange that read open; taken -> open by the holder's store.
  atomic<std::uint32_t> word_{open};
};

/// Holds a spin_lock for a scope. (std::lock_guard would bring <mutex> into public headers.)
class [[nodiscard]] spin_guard {
 public:
  explicit spin_guard(spin_lock& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~spin_guard() { lock_.unlock(); }
  spin_guard(const spin_guard&) = delete;
  spin_guard& operator=(const spin_guard&) = delete;

 private:
  spin_lock& lock_;
};

}  // namespace cove::detail
