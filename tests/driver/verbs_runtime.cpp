#include "verbs.hpp"

// Runtimes, and what they say of themselves. No worker may make or stop one, so threads do.

namespace cove::driver {
namespace {

using std::chrono::milliseconds;

task<> run_rt_new(call& c, std::string name, runtime_options options) {
  auto make = [all = &c.all, name, options] { return all->hosts.make(name, options); };
  auto making = on_thread(c.all.threads, std::move(make));
  c.members["backend"] = co_await std::move(making);
}

task<> prepare_rt_new(call& c) {
  runtime_options options = c.all.options;
  if (c.asked.has("workers"))
    options.workers = static_cast<unsigned>(c.asked.number("workers", 1, 1024));
  if (c.asked.has("backend")) {
    options.backend = c.asked.text("backend");
    if (options.backend != runtime::current()->backend())
      throw refusal::unsupported(options.backend);
  }
  const std::string& name = c.asked.text("as");
  if (name.empty()) throw refusal::bad_request("\"as\" has to be a name");
  return run_rt_new(c, name, std::move(options));
}

/// What the stopping thread does. Whatever the request's own task comes to meanwhile, the runtime
/// is stopped, its requests are answered and its handles go.
std::uint64_t stop_runtime(session& all, const std::string& name, milliseconds limit) {
  const std::uint64_t left = all.hosts.stop(name, limit);
  all.requests.abandon(name);
  all.handles.drop_all_of(name);
  std::unique_ptr<runtime> ended = all.hosts.take(name);
  if (left == 0)
    ended.reset();
  else  // Destroying it waits for what was left behind.
    all.threads.run(
        [waiting = std::shared_ptr<runtime>(std::move(ended))]() mutable { waiting.reset(); });
  return left;
}

task<> run_rt_stop(call& c, std::string name, milliseconds limit) {
  auto stop = [all = &c.all, name, limit] { return stop_runtime(*all, name, limit); };
  auto stopping = on_thread(c.all.threads, std::move(stop));
  c.members["left"] = co_await std::move(stopping);
}

task<> prepare_rt_stop(call& c) {
  const std::string& name = c.asked.text("h");
  if (name.empty()) throw refusal::no_handle(name);
  return run_rt_stop(c, name, milliseconds(c.asked.number("limit_ms", 0, 86'400'000)));
}

/// All live now, without the task that asks. The pool's calls are those of all its lanes.
task<> run_stats(call& c) {
  const runtime_stats now = runtime::current()->stats();
  json& said = c.members;
  said["backend"] = now.backend;
  said["workers"] = now.workers;
  said["tasks"] = now.tasks_live - 1;
  said["timers"] = now.timers;
  said["fds"] = now.descriptors;
  std::uint64_t busy = 0;
  std::uint64_t queued = 0;
  for (const lane_stats* lane : {&now.pool.file, &now.pool.dns, &now.pool.user}) {
    busy += lane->running;
    queued += lane->queued;
  }
  said["pool_max"] = now.pool.user.threads_max;
  said["pool_busy"] = busy;
  said["pool_queued"] = queued;
  said["wakes"] = now.wakes;
  said["polls"] = now.polls;
  said["steals"] = now.steals;
  said["parks"] = now.parks;
  said["reason"] = now.backend_reason;
  co_return;
}

task<> prepare_stats(call& c) { return run_stats(c); }

task<> run_dump(call& c) {
  c.members["text"] = runtime::current()->report();
  co_return;
}

task<> prepare_dump(call& c) { return run_dump(c); }

const verb table[] = {
    {"rt_new", {"as", "workers", "backend"}, prepare_rt_new},
    {"rt_stop", {"h", "limit_ms"}, prepare_rt_stop},
    {"stats", {}, prepare_stats},
    {"dump", {}, prepare_dump},
};

}  // namespace

std::span<const verb> runtime_verbs() { return table; }

}  // namespace cove::driver
