#include <cove/runtime/blocking_scope.hpp>

#include <cove/runtime/detail/assert.hpp>
#include "sched/scheduler.hpp"

namespace cove {

namespace {

// relaxed: sysmon looks at it now and then.
void deeper(sched::machine& m, unsigned by) noexcept {
  m.blocking_scopes.store(m.blocking_scopes.load(std::memory_order_relaxed) + by,
                          std::memory_order_relaxed);
}

}  // namespace

blocking_scope::blocking_scope() noexcept : machine_(sched::this_machine()) {
  if (machine_ != nullptr) deeper(*machine_, 1);
}

blocking_scope::blocking_scope(for_long_t) noexcept : blocking_scope() {
  if (machine_ != nullptr) machine_->owner.hand_on_mine(*machine_);
}

blocking_scope::~blocking_scope() {
  if (machine_ == nullptr) return;
  COVE_CHECK(machine_ == sched::this_machine(), "a blocking_scope ends in another thread");
  deeper(*machine_, ~0U);
}

}  // namespace cove
