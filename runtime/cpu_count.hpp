#pragma once

namespace cove::detail {

class cpu_limit;

/// CPUs that the calling thread, and so the threads that it starts, may run on; at least 1.
unsigned affine_cpus() noexcept;

/// CPUs that this process may use now: the calling thread's, but no more than its quota pays for.
unsigned usable_cpus(cpu_limit& limit) noexcept;

}  // namespace cove::detail
