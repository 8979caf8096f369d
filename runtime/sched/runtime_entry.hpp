#pragma once

#include "sched/machine.hpp"
#include "sched/scheduler.hpp"

namespace cove::sched {

/// Every entry from user code into the runtime goes through this guard. It yields the processor of
/// the calling worker, or null for a thread that has none: a foreign thread, a worker of another
/// runtime, or (once workers lose their P while they block) a worker that has just lost it.
///
/// The guard is empty until that hand-off exists; what stands already is the rule it enforces:
/// arming and timers take a processor& and cannot be called without one. Tests make it yield null
/// at random (tuning::entry_without_p), so the way of a task without a P is walked from the first
/// day: through the global queue, to a worker that has one.
class runtime_entry {
 public:
  explicit runtime_entry(scheduler& s) noexcept : runtime_entry(s, this_machine()) {}
  /// For who has just asked which machine this is.
  runtime_entry(scheduler& s, machine* m) noexcept {
    if (m == nullptr || &m->owner != &s) return;
    p_ = m->p;
    if (s.settings().entry_without_p != 0 && m->draw() % s.settings().entry_without_p == 0)
      p_ = nullptr;
  }
  runtime_entry(const runtime_entry&) = delete;
  runtime_entry& operator=(const runtime_entry&) = delete;

  processor* p() const noexcept { return p_; }

 private:
  processor* p_ = nullptr;
};

}  // namespace cove::sched
