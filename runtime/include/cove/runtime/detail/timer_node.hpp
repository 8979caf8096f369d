#pragma once

// The part of a timer that lives with what waits for it, in a coroutine frame or a descriptor, so
// that arming a timer allocates nothing. The heap that orders timers is the scheduler's.

#include <cove/runtime/detail/atomic.hpp>

#include <cstdint>

namespace cove::detail {

/// One timer, armed in at most one heap.
/// Lifetime: an armed node stays where it is. It may die once its fire has begun (fire is the
/// heap's last use of it) or timer_heap::remove has returned.
struct timer_node {
  /// When it was last armed for, on the runtime's clock. Under the heap's lock while armed.
  std::int64_t when_ns = 0;

  // 0 (not armed) -> heap id + 1 by insert -> 0 by remove or just before fire. Written under that
  // heap's lock, read by anyone to find the heap and always read again under its lock, hence
  // relaxed everywhere. Reading 0 says that the node is out, not that its fire has returned: only
  // remove() waits for that.
  atomic<std::uint32_t> heap{0};

  /// Where in the heap. Under the heap's lock.
  std::uint32_t index = 0;

  /// What to do when it is due. Runs once per arming under the heap's lock: short, takes no lock
  /// that anyone holds while calling the heap, and of the heap calls at most reinsert, with this
  /// node. sink is what the caller of expire passed.
  void (*fire)(timer_node& self, void* sink) noexcept = nullptr;
};

}  // namespace cove::detail
