#pragma once

namespace cove::detail {

/// CPUs that this process may run on; at least 1.
unsigned usable_cpus() noexcept;

}  // namespace cove::detail
