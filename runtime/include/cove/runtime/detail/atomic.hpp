#pragma once

// The atomics of all lock-free protocols go through this alias, and so do their fences. A test that
// wants to walk through interleavings compiles the files under test into a program of its own with
//
//     -DCOVE_ATOMIC_HEADER='"support/stepping_atomic.hpp"'
//
// and that header declares, in cove::detail, `template <class T> class atomic` with the members of
// std::atomic and `thread_fence(std::memory_order)`, each of which may switch to another
// simulated thread before it acts. The macro is set for a whole program or not at all: two
// definitions of one class would meet at link time. Memory orders keep their std names on both
// sides. Counters, and what is only said for reports, are std::atomic: nothing is decided by them.

#ifdef COVE_ATOMIC_HEADER

#include COVE_ATOMIC_HEADER

#else

#include <atomic>

namespace cove::detail {

template <class T>
using atomic = std::atomic<T>;

inline void thread_fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }

}  // namespace cove::detail

#endif
