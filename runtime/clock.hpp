#pragma once

#include <cstdint>

namespace cove::detail {

/// Monotonic time in nanoseconds.
std::int64_t now_ns() noexcept;

}  // namespace cove::detail
