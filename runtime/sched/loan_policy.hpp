#pragma once

#include <cstdint>

namespace cove::sched {

/// Whether a worker that has nothing to do waits awake for what it has lent: a job that it gave to
/// a thread of the pool, whose task comes back to it.
///
/// A call that the system answers from its memory takes a microsecond, and the sleep of the worker
/// and its wake-up across threads take fifty. So it pays to stay awake for a little while, if such
/// calls have come back soon, and if the thread is not waiting for this very CPU. Where several
/// calls are out they share their wake-ups, and their threads need the CPUs.
///
/// The rule: at most limit_ns a wait, for a call that is alone, if the wait before ended with work
/// within twice that, of which a sleep's end may be half. After a fruitless one as many waits are
/// spent asleep: one, then three, and so on to most_skipped, until one awake bears fruit.
/// Used by its worker alone.
class loan_policy {
 public:
  static constexpr std::int64_t limit_ns = 50'000;

  /// Asked once a wait.
  bool worth_it() noexcept {
    if (!soon_) return false;
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }

  /// A wait ended with work after `waited_ns`; awake or asleep.
  void ended(std::int64_t waited_ns, bool awake) noexcept {
    soon_ = waited_ns < 2 * limit_ns;
    if (awake) skipped_ = 0;
  }
  /// Waiting awake brought nothing.
  void wasted() noexcept {
    skipped_ = skipped_ < most_skipped ? 2 * skipped_ + 1 : most_skipped;
    skip_ = skipped_;
  }

 private:
  static constexpr unsigned most_skipped = 255;

  bool soon_ = false;
  unsigned skipped_ = 0;  ///< After the last fruitless one.
  unsigned skip_ = 0;     ///< Of these are left.
};

}  // namespace cove::sched
