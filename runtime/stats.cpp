#include "state.hpp"

namespace cove {
namespace {

lane_stats lane_now(pool::lane& which) noexcept {
  const pool::lane_counts now = which.count();
  lane_stats all;
  all.threads = now.threads;
  all.threads_max = which.settings().threads_max;
  all.threads_started = now.threads_started;
  all.running = now.running;
  all.queued = now.queued;
  all.at_door = now.at_door;
  all.finished = now.finished;
  all.taken_back = now.taken_back;
  all.refused = now.refused;
  all.waited = std::chrono::nanoseconds(now.waited_ns);
  all.waited_most = std::chrono::nanoseconds(now.waited_most_ns);
  return all;
}

std::string lane_line(const char* title, const lane_stats& now) {
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  const auto micros = [](std::chrono::nanoseconds time) {
    return std::to_string(time / std::chrono::microseconds(1)) + " us";
  };
  const auto begun = static_cast<std::int64_t>(now.running + now.finished);
  const auto mean = begun != 0 ? now.waited / begun : std::chrono::nanoseconds(0);
  return title + number(now.threads) + " of " + number(now.threads_max) + " threads (" +
         number(now.threads_started) + " started), calls: " + number(now.running) + " running, " +
         number(now.queued) + " queued, " + number(now.at_door) + " at its door, " +
         number(now.finished) + " finished, " + number(now.taken_back) + " taken back, " +
         number(now.refused) + " refused, waited " + micros(mean) + " on average, " +
         micros(now.waited_most) + " at most\n";
}

}  // namespace

runtime_stats runtime::stats() const {
  detail::runtime_state& state = *state_;
  sched::scheduler& scheduler = state.scheduler;
  runtime_stats all;
  all.name = name();
  all.backend = backend();
  all.backend_reason = state.backend_reason;
  all.workers = scheduler.active();
  all.threads = scheduler.threads();
  all.threads_lost = scheduler.threads_lost();
  all.hand_offs = scheduler.hand_offs();
  all.hand_offs_missed = scheduler.hand_offs_missed();
  all.stalls = scheduler.stalls();
  all.spin = scheduler.settings().spin;
  all.tasks_spawned = state.spawned_outside.load(std::memory_order_relaxed);
  std::uint64_t finished = state.finished_outside.load(std::memory_order_relaxed);
  for (const auto& p : scheduler.processors()) {
    const auto read = [](const std::atomic<std::uint64_t>& counter) {
      return counter.load(std::memory_order_relaxed);
    };
    finished += read(p->count.finished);
    all.tasks_spawned += read(p->count.spawned);
    all.task_runs += read(p->count.runs);
    all.steals += read(p->count.steals);
    all.parks += read(p->count.parks);
    all.wakes += read(p->count.wakes);
    all.timers += p->timers.size();
    all.tasks_queued += p->queue.size();
  }
  all.tasks_queued += scheduler.queued_globally();
  all.polls = scheduler.polls();
  all.tasks_live = all.tasks_spawned > finished ? all.tasks_spawned - finished : 0;
  all.descriptors = scheduler.poller().watched();
  all.pool.file = lane_now(state.pool.of(pool_lane::file));
  all.pool.dns = lane_now(state.pool.of(pool_lane::dns));
  all.pool.user = lane_now(state.pool.of(pool_lane::user));
  return all;
}

std::string to_string(const runtime_stats& stats) {
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  std::string text;
  text += "runtime      " + stats.name + "\n";
  text += "backend      " + stats.backend + " (" + stats.backend_reason + ")\n";
  text += "workers      " + number(stats.workers) + " (" + number(stats.threads) +
          " threads started, spin " + (stats.spin ? "on" : "off") + ")\n";
  text += "tasks        " + number(stats.tasks_spawned) + " spawned, " + number(stats.tasks_live) +
          " live, " + number(stats.task_runs) + " runs\n";
  text += "steals       " + number(stats.steals) + "\n";
  text += "parks        " + number(stats.parks) + ", wakes " + number(stats.wakes) + "\n";
  text += "hand-offs    " + number(stats.hand_offs) + ", " + number(stats.hand_offs_missed) +
          " missed, " + number(stats.threads_lost) + " threads without a processor\n";
  text += "stalls       " + number(stats.stalls) + "\n";
  text += "polls        " + number(stats.polls) + "\n";
  text += "timers       " + number(stats.timers) + "\n";
  text += "descriptors  " + number(stats.descriptors) + "\n";
  text += lane_line("pool: file   ", stats.pool.file);
  text += lane_line("pool: dns    ", stats.pool.dns);
  text += lane_line("pool: user   ", stats.pool.user);
  return text;
}

}  // namespace cove
