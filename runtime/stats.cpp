#include "state.hpp"

namespace cove {

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
  const pool::lane::counts jobs = state.pool.of(pool_lane::user).count();
  all.pool_threads = jobs.threads;
  all.pool_threads_max = jobs.threads_max;
  all.jobs_running = jobs.running;
  all.jobs_queued = jobs.queued;
  all.jobs_finished = jobs.finished;
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
  text += "pool         " + number(stats.pool_threads) + " of " + number(stats.pool_threads_max) +
          " threads started, jobs: " + number(stats.jobs_running) + " running, " +
          number(stats.jobs_queued) + " queued, " + number(stats.jobs_finished) + " finished\n";
  return text;
}

}  // namespace cove
