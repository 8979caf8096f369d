#include "sched/sysmon.hpp"

#include "clock.hpp"

namespace cove::sched {
namespace {

constexpr std::int64_t look_every_ns = 5'000'000;
/// While some thread is in a section that it said would block.
constexpr std::int64_t look_closely_ns = 1'000'000;
constexpr std::int64_t neglected_after_ns = 10'000'000;
constexpr std::int64_t ask_cpus_every_ns = 1'000'000'000;
constexpr std::int64_t sleep_after_ns = 100'000'000;

}  // namespace

sysmon::sysmon(scheduler& watched) : scheduler_(watched), thread_([this] { run(); }) {}

sysmon::~sysmon() {
  stop_.store(true, std::memory_order_relaxed);  // The token orders it.
  scheduler_.sysmon_parker().unpark();
  thread_.join();
}

void sysmon::run() noexcept {
  parker& sleep = scheduler_.sysmon_parker();
  const bool hurries = scheduler_.settings().retake_at_once;
  std::int64_t look_after_ns = look_every_ns;
  std::int64_t idle_ns = 0;
  std::int64_t neglected_ns = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    if (hurries)
      std::this_thread::yield();
    else
      sleep.park_for(look_after_ns);
    // The token may have been that of the end: once taken, nobody wakes this thread again.
    if (stop_.load(std::memory_order_relaxed)) return;
    if (scheduler_.all_idle() && !scheduler_.unsettled()) {
      idle_ns += look_after_ns;
      if (idle_ns < sleep_after_ns || !scheduler_.sysmon_may_sleep()) continue;
      sleep.park();
      idle_ns = neglected_ns = 0;
      continue;
    }
    idle_ns = 0;
    follow_cpus();
    look_after_ns = scheduler_.oversee() ? look_closely_ns : look_every_ns;
    neglected_ns = scheduler_.network_neglected() ? neglected_ns + look_after_ns : 0;
    if (neglected_ns < neglected_after_ns) continue;
    neglected_ns = 0;
    scheduler_.mend_neglect();
  }
}

void sysmon::follow_cpus() noexcept {
  const settings& chosen = scheduler_.settings();
  if (chosen.cpus == nullptr) return;
  const std::int64_t now = detail::now_ns();
  if (now < ask_cpus_at_ns_) return;
  ask_cpus_at_ns_ = now + ask_cpus_every_ns;
  scheduler_.set_active(chosen.cpus(chosen.cpus_context));
}

}  // namespace cove::sched
