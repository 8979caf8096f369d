#include "cpu_count.hpp"

#include "cpu_limit.hpp"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace cove::detail {

unsigned affine_cpus() noexcept {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  // A machine with more CPUs than the fixed mask holds makes the call fail; then all of them count.
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0)
    if (const int count = CPU_COUNT(&mask); count > 0) return static_cast<unsigned>(count);
  const unsigned all = std::thread::hardware_concurrency();
  return all != 0 ? all : 1;
}

unsigned usable_cpus(cpu_limit& limit) noexcept { return std::min(affine_cpus(), limit.read()); }

}  // namespace cove::detail
