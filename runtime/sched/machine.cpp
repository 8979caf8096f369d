#include "sched/machine.hpp"

namespace cove::sched {
namespace {

thread_local constinit machine* current_machine = nullptr;

}  // namespace

// Two calls may be made on two threads, with a suspension between them. So no compiler may think it
// pure and keep what the first one gave; the empty assembly is what it cannot look into.
[[gnu::noinline]] machine* this_machine() noexcept {
  asm volatile("" ::: "memory");
  return current_machine;
}
[[gnu::noinline]] void set_this_machine(machine* m) noexcept { current_machine = m; }

}  // namespace cove::sched
