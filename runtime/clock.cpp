#include "clock.hpp"

#include "sched/machine.hpp"
#include "sched/virtual_clock.hpp"

#include <chrono>

namespace cove::detail {

std::int64_t now_ns() noexcept {
  const sched::machine* m = sched::this_machine();
  if (m != nullptr && m->clock != nullptr) [[unlikely]]
    return m->clock->now_ns();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace cove::detail
