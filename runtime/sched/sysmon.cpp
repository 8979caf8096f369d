#include "sched/sysmon.hpp"

namespace cove::sched {
namespace {

constexpr std::int64_t look_every_ns = 5'000'000;
constexpr unsigned looks_without_poll = 2;
constexpr unsigned idle_looks_before_sleep = 20;

}  // namespace

sysmon::sysmon(scheduler& watched) : scheduler_(watched), thread_([this] { run(); }) {}

sysmon::~sysmon() {
  stop_.store(true, std::memory_order_relaxed);  // The token orders it.
  scheduler_.sysmon_parker().unpark();
  thread_.join();
}

void sysmon::run() noexcept {
  parker& sleep = scheduler_.sysmon_parker();
  unsigned idle_looks = 0;
  unsigned neglected_looks = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    sleep.park_for(look_every_ns);
    // The token may have been that of the end: once taken, nobody wakes this thread again.
    if (stop_.load(std::memory_order_relaxed)) return;
    if (scheduler_.all_idle()) {
      if (++idle_looks < idle_looks_before_sleep || !scheduler_.sysmon_may_sleep()) continue;
      sleep.park();
      idle_looks = neglected_looks = 0;
      continue;
    }
    idle_looks = 0;
    scheduler_.share_stuck();
    neglected_looks = scheduler_.network_neglected() ? neglected_looks + 1 : 0;
    if (neglected_looks < looks_without_poll) continue;
    neglected_looks = 0;
    scheduler_.mend_neglect();
  }
}

}  // namespace cove::sched
