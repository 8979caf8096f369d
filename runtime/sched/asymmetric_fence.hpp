#pragma once

#include <atomic>

namespace cove::sched {

/// A full fence between two threads of which one passes it millions of times more often. That one's
/// half, light(), only keeps the compiler from moving things; the other one's half, heavy(), makes
/// the system put a fence into whatever every thread of the process is running (about a
/// microsecond). Each access before light() or heavy() is ordered with each one behind the other
/// thread's heavy() or light().
struct asymmetric_fence {
  /// Does the system know how? If not, both halves must be std::atomic_thread_fence(seq_cst).
  static bool available() noexcept;
  static void light() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
  /// False if the system refuses, as a filter may that came after available().
  [[nodiscard]] static bool heavy() noexcept;
};

}  // namespace cove::sched
