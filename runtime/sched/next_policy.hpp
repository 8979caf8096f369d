#pragma once

#include "clock.hpp"

#include <cove/runtime/detail/atomic.hpp>

#include <climits>
#include <cstdint>

namespace cove::sched {

/// Whether the task in the next slot is left to the worker that filled the slot.
///
/// Who wakes a task usually waits soon itself, and then runs it: earlier than a worker that would
/// have to be woken for it, and on warm caches. Only where tasks go on for long after they woke
/// others, more workers help. So the task is kept, while nobody is woken for it and nobody steals
/// it; every 16th time the owner looks how long it lay there, and if that was longer than a wake-up
/// takes, the next 64 are shared. The first one behind a task that never ends is shared by sysmon,
/// within 10 ms. Without sysmon the slot is always shared.
class next_policy {
 public:
  explicit next_policy(bool sysmon) noexcept : shared_(sysmon ? 0 : always) {}

  /// Owner: a task goes into the slot, which was empty. True if it is kept.
  bool keep() noexcept {
    // relaxed throughout: a hint. Who sees it late takes a task that was kept, or leaves one that
    // its owner has just woken somebody for; then the owner runs it.
    const unsigned shared = shared_.load(std::memory_order_relaxed);
    if (shared == 0) [[likely]] {
      if (--until_look_ == 0) {
        until_look_ = looks_every;
        put_at_ns_ = detail::now_ns();
      }
      return true;
    }
    if (shared != always) shared_.store(shared - 1, std::memory_order_relaxed);
    until_look_ = 1;
    return false;
  }
  /// Owner: the task was taken, to be run.
  void taken() noexcept {
    if (put_at_ns_ == 0) [[likely]]
      return;
    if (detail::now_ns() - put_at_ns_ > long_ns) share();
    put_at_ns_ = 0;
  }
  /// Sysmon: the task has lain there for too long.
  void share() noexcept {
    if (shared_.load(std::memory_order_relaxed) != always)
      shared_.store(shared_after_long, std::memory_order_relaxed);
  }
  /// Any thread.
  bool shared() const noexcept { return shared_.load(std::memory_order_relaxed) != 0; }

 private:
  static constexpr unsigned looks_every = 16;
  static constexpr unsigned shared_after_long = 64;
  static constexpr unsigned always = UINT_MAX;
  static constexpr std::int64_t long_ns = 20'000;

  /// How many more are shared. The owner counts down; an update of sysmon's that this overwrites is
  /// made again.
  detail::atomic<unsigned> shared_;
  // Owner.
  unsigned until_look_ = 1;
  std::int64_t put_at_ns_ = 0;  ///< Of the one that is looked at; 0: of none.
};

}  // namespace cove::sched
