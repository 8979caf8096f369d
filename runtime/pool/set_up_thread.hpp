#pragma once

namespace cove::pool {

/// A thread of the pool, first of all: takes the name `cove-LANE-NUMBER`, and no signals but those
/// that its own faults raise. A signal for the process goes to a thread of the program's, as if the
/// pool were not there, and no call of a job ends with EINTR because of one.
void set_up_thread(const char* lane, unsigned number) noexcept;

}  // namespace cove::pool
