#include "sched/sysmon.hpp"

#include "clock.hpp"

namespace cove::sched {
namespace {

constexpr std::int64_t shortest_ns = 20'000;
constexpr std::int64_t longest_ns = 10'000'000;
constexpr unsigned idle_rounds_before_slower = 50;
constexpr std::int64_t idle_before_sleep_ns = 1'000'000'000;

}  // namespace

sysmon::sysmon(scheduler& watched) : scheduler_(watched), thread_([this] { run(); }) {}

sysmon::~sysmon() {
  stop_.store(true, std::memory_order_relaxed);  // The token orders it.
  scheduler_.sysmon_parker().unpark();
  thread_.join();
}

void sysmon::run() noexcept {
  parker& sleep = scheduler_.sysmon_parker();
  std::int64_t delay = shortest_ns;
  unsigned idle_rounds = 0;
  std::int64_t last_check = detail::now_ns();
  std::int64_t busy_at = last_check;
  while (!stop_.load(std::memory_order_relaxed)) {
    if (idle_rounds > idle_rounds_before_slower)
      delay = delay * 2 > longest_ns ? longest_ns : delay * 2;
    sleep.park_for(delay);
    const std::int64_t now = detail::now_ns();
    ++idle_rounds;
    if (!scheduler_.all_idle()) {
      busy_at = now;
    } else if (now - busy_at > idle_before_sleep_ns && scheduler_.sysmon_may_sleep()) {
      sleep.park();
      busy_at = detail::now_ns();
      delay = shortest_ns;
      idle_rounds = 0;
      continue;
    }
    if (now - last_check < longest_ns) continue;
    last_check = now;
    if (scheduler_.poll_if_neglected()) idle_rounds = 0;
  }
}

}  // namespace cove::sched
