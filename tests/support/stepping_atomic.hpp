#pragma once

// What stands for std::atomic in programs that step through the lock-free pieces; see stepping.hpp.

#include "support/stepping.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace cove::detail {

template <class T>
class atomic {
  // NOLINTNEXTLINE(bugprone-sizeof-expression): a pointer, where T is one.
  static constexpr std::size_t size = sizeof(T);
  static_assert(size <= sizeof(std::uint64_t) && std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  constexpr atomic() noexcept = default;
  constexpr atomic(T value) noexcept : initial_(value) {}  // NOLINT: as std::atomic.
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    return value_of(stepping::load(where_, bits_of(initial_), order));
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    stepping::store(where_, bits_of(initial_), bits_of(value), order);
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(order, [value](T) { return value; });
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure) noexcept {
    return compare_exchange(expected, desired, success, failure, false);
  }
  bool compare_exchange_strong(T& expected, T desired,
                               std::memory_order order = std::memory_order_seq_cst) noexcept {
    return compare_exchange(expected, desired, order, for_failure(order), false);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure) noexcept {
    return compare_exchange(expected, desired, success, failure, true);
  }
  bool compare_exchange_weak(T& expected, T desired,
                             std::memory_order order = std::memory_order_seq_cst) noexcept {
    return compare_exchange(expected, desired, order, for_failure(order), true);
  }

  T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(order, [by](T old) { return static_cast<T>(old + by); });
  }
  T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(order, [by](T old) { return static_cast<T>(old - by); });
  }
  T fetch_or(T bits, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(order, [bits](T old) { return static_cast<T>(old | bits); });
  }
  T fetch_and(T bits, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(order, [bits](T old) { return static_cast<T>(old & bits); });
  }

  /// What the last store left, for conditions of wait_until() and for the kernel's part of futexes.
  T newest() const noexcept { return value_of(stepping::newest(where_, bits_of(initial_))); }

 private:
  static std::uint64_t bits_of(T value) noexcept {
    std::uint64_t bits = 0;
    std::memcpy(&bits, static_cast<const void*>(&value), size);
    return bits;
  }
  static T value_of(std::uint64_t bits) noexcept {
    T value;
    std::memcpy(static_cast<void*>(&value), &bits, size);
    return value;
  }
  static constexpr std::memory_order for_failure(std::memory_order order) noexcept {
    if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
    if (order == std::memory_order_release) return std::memory_order_relaxed;
    return order;
  }

  template <class Next>
  T update(std::memory_order order, Next next) noexcept {
    return value_of(stepping::update(where_, bits_of(initial_), order, [next](std::uint64_t old) {
      return bits_of(next(value_of(old)));
    }));
  }
  bool compare_exchange(T& expected, T desired, std::memory_order success,
                        std::memory_order failure, bool weak) noexcept {
    std::uint64_t bits = bits_of(expected);
    const bool done = stepping::compare_exchange(where_, bits_of(initial_), bits, bits_of(desired),
                                                 success, failure, weak);
    expected = value_of(bits);
    return done;
  }

  T initial_{};
  mutable stepping::location where_;
};

inline void thread_fence(std::memory_order order) noexcept { stepping::fence(order); }

}  // namespace cove::detail
