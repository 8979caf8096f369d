#pragma once

#include "sched/machine.hpp"
#include "sched/scheduler.hpp"

#include <cove/runtime/detail/assert.hpp>

namespace cove::sched {

/// Every entry from user code into the runtime goes through this guard. It yields the processor of
/// the calling worker, or null for a thread that has none: a foreign thread, a worker of another
/// runtime, or a worker that has lost it while it blocked (tenure.hpp). As long as the guard lives,
/// nobody takes the processor away.
///
/// Arming and timers take a processor& and cannot be called without one. A task without one goes
/// through the global queue, to a worker that has one; tests make the guard yield null at random
/// (tuning::entry_without_p).
class runtime_entry {
 public:
  explicit runtime_entry(scheduler& s) noexcept : runtime_entry(s, this_machine()) {}
  /// For who has just asked which machine this is.
  runtime_entry(scheduler& s, machine* m) noexcept {
    if (m == nullptr || &m->owner != &s) return;
    m_ = m;
    before_ = m->presence.enter();
    p_ = m->p;
    if (s.settings().entry_without_p != 0 && m->draw() % s.settings().entry_without_p == 0)
      p_ = nullptr;
  }
  ~runtime_entry() {
    if (m_ != nullptr) m_->presence.leave(before_);
  }
  runtime_entry(const runtime_entry&) = delete;
  runtime_entry& operator=(const runtime_entry&) = delete;

  processor* p() const noexcept { return p_; }

  /// The worker gives its task away. While this guard lives nobody asks after it, and later nobody
  /// may.
  void forget_task() const noexcept {
    if (m_ == nullptr) return;
    COVE_CHECK(m_->blocking_scopes.load(std::memory_order_relaxed) == 0,
               "a task suspends inside of a blocking_scope");
    m_->current.store(nullptr, std::memory_order_relaxed);
  }

 private:
  machine* m_ = nullptr;
  processor* p_ = nullptr;
  std::uint8_t before_ = 0;
};

}  // namespace cove::sched
