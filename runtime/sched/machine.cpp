#include "sched/machine.hpp"

namespace cove::sched {
namespace {

thread_local constinit machine* current_machine = nullptr;

}  // namespace

[[gnu::noinline]] machine* this_machine() noexcept { return current_machine; }
[[gnu::noinline]] void set_this_machine(machine* m) noexcept { current_machine = m; }

}  // namespace cove::sched
