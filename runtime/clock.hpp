#pragma once

#include <cstdint>

namespace cove::detail {

/// Nanoseconds by the clock of the runtime whose worker the calling thread is, which may be virtual
/// (sched/virtual_clock.hpp); monotonic time elsewhere.
std::int64_t now_ns() noexcept;

}  // namespace cove::detail
