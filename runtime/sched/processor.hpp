#pragma once

#include "sched/next_policy.hpp"
#include "sched/run_queue.hpp"
#include "sched/timer_heap.hpp"

#include <cove/runtime/detail/task_ctl.hpp>

#include <cstdint>

namespace cove::sched {

struct machine;

/// Counters of one processor. Written by the worker that holds it; read by stats() at any time.
struct counters {
  std::atomic<std::uint64_t> runs{0};
  std::atomic<std::uint64_t> steals{0};
  std::atomic<std::uint64_t> parks{0};
  std::atomic<std::uint64_t> wakes{0};
  std::atomic<std::uint64_t> spawned{0};
  std::atomic<std::uint64_t> finished{0};

  /// Owner: one more; a plain add, nobody else writes.
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
};

/// P: what it takes to run tasks. A worker (M) must hold one to run a task, to arm an operation or
/// to set a timer; whoever needs a P takes it as a parameter.
class alignas(64) processor {
 public:
  processor(unsigned number, bool sysmon) noexcept
      : id(number), next_slot(sysmon), timers(number) {}

  // Constant after construction.
  const unsigned id;

  // The worker that holds it.
  std::uint32_t tick = 0;
  std::uint32_t polled = 0;  ///< The tick of the last look at the network.
  unsigned next_streak = 0;  ///< Tasks taken from the next slot in a row.
  bool lent = false;         ///< The last job that it gave to the pool was the only one there.

  // The holder; thieves by its own rules.
  next_policy next_slot;
  run_queue<detail::task_ctl> queue;
  // Any thread, by its own lock.
  timer_heap timers;
  counters count;

  /// Null while it is idle. The holder writes; sysmon reads, and asks the tenure.
  std::atomic<machine*> holder{nullptr};

  // Under the scheduler's lock.
  processor* next_idle = nullptr;
};

}  // namespace cove::sched
