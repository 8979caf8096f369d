#pragma once

// The atomics of the scheduler's protocols go through this alias. A test that wants to walk through
// interleavings compiles the file under test into a program of its own with
//
//     -DCOVE_ATOMIC_HEADER='"support/stepping_atomic.hpp"'
//
// and that header declares `template <class T> class atomic` in cove::sched with the members of
// std::atomic, each of which may switch to another simulated thread before it acts. The macro is
// set for a whole program or not at all: two definitions of one class would meet at link time.
// Memory orders keep their std names on both sides.

#ifdef COVE_ATOMIC_HEADER

#include COVE_ATOMIC_HEADER

#else

#include <atomic>

namespace cove::sched {

template <class T>
using atomic = std::atomic<T>;

}  // namespace cove::sched

#endif
