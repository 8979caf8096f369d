#include "storm.hpp"

#include "system.hpp"

#include <deque>
#include <random>

// Storms of tasks, threads and timers.

namespace cove::driver {
namespace {

using std::chrono::microseconds;

std::int64_t us_since(clock::time_point then) {
  return std::chrono::duration_cast<microseconds>(clock::now() - then).count();
}

// ----- post: threads wake tasks -----

/// Where a thread leaves a wake-up for a task, and waits for its acknowledgement.
struct post_box {
  static constexpr std::uint64_t gone = UINT64_MAX;

  gate arrival;
  std::atomic<std::uint64_t> acknowledged{0};

  void acknowledge(std::uint64_t number) {
    acknowledged.store(number);
    acknowledged.notify_one();
  }
};

struct post_office {
  std::deque<post_box> boxes;
  std::uint64_t rounds = 0;
  std::atomic<std::uint64_t> counted{0};
  std::atomic<std::int64_t> max_us{0};
};

task<> receive_posts(post_office* all, post_box* box, std::uint64_t posts) {
  std::exception_ptr broken;
  try {
    for (std::uint64_t number = 1; number <= posts; ++number) {
      co_await box->arrival.pass();
      all->counted.fetch_add(1, std::memory_order_relaxed);
      box->acknowledge(number);
    }
  } catch (...) {
    broken = std::current_exception();
  }
  box->acknowledge(post_box::gone);
  if (broken) std::rethrow_exception(broken);
}

/// One thread: posts to each of its boxes in turn.
void post_all(post_office& all, const std::stop_token& stop, std::size_t first, std::size_t boxes) {
  const std::stop_callback wake(stop, [&] {
    for (std::size_t i = 0; i < boxes; ++i) all.boxes[first + i].acknowledge(post_box::gone);
  });
  for (std::uint64_t round = 0; round < all.rounds; ++round) {
    post_box& box = all.boxes[first + round % boxes];
    const std::uint64_t number = round / boxes;
    const auto posted = clock::now();
    box.arrival.open();
    box.acknowledged.wait(number);
    if (stop.stop_requested()) return;
    const std::int64_t took_us = us_since(posted);
    std::int64_t most = all.max_us;
    while (took_us > most && !all.max_us.compare_exchange_weak(most, took_us)) {
    }
  }
}

task<> run_post(call& c, std::uint64_t rounds, std::size_t threads, std::size_t tasks) {
  post_office all;
  all.rounds = rounds;
  all.boxes.resize(threads * tasks);
  storm_crew crew;
  const auto body = [&](scope& parts) -> task<> {
    for (std::size_t each = 0; each < all.boxes.size(); ++each) {
      const std::uint64_t posts = rounds / tasks + (each % tasks < rounds % tasks ? 1 : 0);
      parts.spawn(receive_posts, &all, &all.boxes[each], posts).detach();
    }
    crew.start(threads, [&all, tasks](const std::stop_token& stop, std::size_t index) {
      post_all(all, stop, index * tasks, tasks);
    });
    co_await crew.finish();
  };
  co_await with_scope(body);
  c.members["count"] = rounds;
  c.members["counted"] = all.counted.load();
  c.members["max_us"] = all.max_us.load();
}

task<> prepare_post(call& c) {
  return run_post(c, rounds_of(c.asked), lanes_of(c.asked, "threads"), lanes_of(c.asked, "tasks"));
}

// ----- spawn: threads spawn tasks -----

struct spawn_tally {
  std::atomic<std::uint64_t> ran{0};
  std::uint64_t wanted = 0;
  gate all_ran;
};

task<> count_run(std::shared_ptr<spawn_tally> tally) {
  if (tally->ran.fetch_add(1) + 1 == tally->wanted) tally->all_ran.open();
  co_return;
}

task<> run_spawn(call& c, std::uint64_t rounds, std::size_t threads) {
  const auto tally = std::make_shared<spawn_tally>();
  tally->wanted = rounds;
  storm_crew crew;
  crew.start(threads, [=, on = runtime::current()](const std::stop_token& stop, std::size_t index) {
    for (std::uint64_t at = index; at < rounds && !stop.stop_requested(); at += threads)
      on->spawn(count_run, tally).detach();
  });
  co_await crew.finish();
  if (rounds != 0) co_await tally->all_ran.pass();
  c.members["count"] = rounds;
  c.members["ran"] = tally->ran.load();
}

task<> prepare_spawn(call& c) {
  return run_spawn(c, rounds_of(c.asked), lanes_of(c.asked, "threads"));
}

// ----- timer: threads stop timers at random moments -----

struct timer_tally {
  std::int64_t low_us = 0;
  std::int64_t high_us = 0;
  std::uint64_t rounds = 0;
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> fired{0};
  std::atomic<std::uint64_t> stopped{0};
  std::atomic<std::uint64_t> both{0};
  std::atomic<std::uint64_t> neither{0};
};

task<> sleep_and_note(microseconds time, std::atomic<bool>* fired) {
  co_await this_task::sleep_for(time);
  fired->store(true);
}

/// One round: true if the task reported that it was cancelled.
bool stop_timer(runtime& on, microseconds time, microseconds after, std::atomic<bool>& fired) {
  auto sleeping = on.spawn(sleep_and_note, time, &fired);
  std::this_thread::sleep_for(after);  // tidy: allow (the subject is a thread that comes later)
  sleeping.cancel();
  try {
    on.wait(std::move(sleeping));
    return false;
  } catch (const canceled&) {
    return true;
  }
}

void stop_timers(runtime& on, timer_tally& all, const std::stop_token& stop, std::size_t seed) {
  std::minstd_rand random(static_cast<unsigned>(seed) + 1);
  std::uniform_int_distribution<std::int64_t> delay(all.low_us, all.high_us);
  while (!stop.stop_requested() && all.done.fetch_add(1) < all.rounds) {
    std::atomic<bool> fired{false};
    const microseconds time(delay(random));
    const microseconds after(delay(random));
    const bool stopped = stop_timer(on, time, after, fired);
    if (fired != stopped)
      ++(fired ? all.fired : all.stopped);
    else
      ++(fired ? all.both : all.neither);
  }
}

task<> run_timer(call& c, std::shared_ptr<timer_tally> all, std::size_t threads) {
  storm_crew crew;
  crew.start(threads,
             [all, on = runtime::current()](const std::stop_token& stop, std::size_t index) {
               stop_timers(*on, *all, stop, index);
             });
  co_await crew.finish();
  c.members["count"] = all->rounds;
  c.members["fired"] = all->fired.load();
  c.members["stopped"] = all->stopped.load();
  c.members["both"] = all->both.load();
  c.members["neither"] = all->neither.load();
}

task<> prepare_timer(call& c) {
  auto all = std::make_shared<timer_tally>();
  all->rounds = rounds_of(c.asked);
  const std::vector<std::size_t> range = c.asked.sizes("us");
  if (range.size() != 2 || range[0] > range[1])
    throw refusal::bad_request("\"us\" has to be [lo,hi] with lo <= hi");
  all->low_us = static_cast<std::int64_t>(range[0]);
  all->high_us = static_cast<std::int64_t>(range[1]);
  return run_timer(c, std::move(all), lanes_of(c.asked, "threads"));
}

// ----- timers: many, armed and cancelled -----

task<> sleep_an_hour(std::atomic<std::uint64_t>* begun) {
  begun->fetch_add(1, std::memory_order_relaxed);
  co_await this_task::sleep_for(std::chrono::hours(1));
}

task<> run_timers(call& c, std::uint64_t rounds) {
  c.members["rss_kb_before"] = resident_kb();
  std::atomic<std::uint64_t> begun{0};
  const auto body = [&](scope& parts) -> task<> {
    for (std::uint64_t each = 0; each < rounds; ++each) parts.spawn(sleep_an_hour, &begun).detach();
    while (begun.load() != rounds) co_await this_task::yield();
    parts.cancel();
  };
  co_await with_scope(body);
  c.end();
  c.members["count"] = rounds;
  c.members["rss_kb_after"] = resident_kb();
}

task<> prepare_timers(call& c) { return run_timers(c, rounds_of(c.asked)); }

// ----- runtimes: made, loaded and destroyed -----

task<> nap() { co_await this_task::sleep_for(microseconds(100)); }
task<> load_runtime() { return in_lanes(16, nap); }

json make_runtimes(runtime_options options, std::uint64_t rounds) {
  const auto make_one = [&] {
    runtime made(options);
    made.block_on(load_runtime);
  };
  make_one();  // What a process pays once is no leak.
  json said;
  said["fds_before"] = open_descriptors();
  said["rss_kb_before"] = resident_kb();
  for (std::uint64_t round = 0; round < rounds; ++round) make_one();
  said["count"] = rounds;
  said["fds_after"] = open_descriptors();
  said["rss_kb_after"] = resident_kb();
  return said;
}

task<> run_runtimes(call& c, std::uint64_t rounds, runtime_options options) {
  auto work = [options, rounds] { return make_runtimes(options, rounds); };
  auto errand = on_thread(c.all.threads, std::move(work));
  const json said = co_await std::move(errand);
  c.members.update(said);
}

task<> prepare_runtimes(call& c) {
  runtime_options options = c.all.options;
  options.workers = static_cast<unsigned>(c.asked.number_or("workers", 2, 1, 1024));
  return run_runtimes(c, rounds_of(c.asked), std::move(options));
}

const storm_kind table[] = {
    {"post", {"threads", "tasks"}, prepare_post}, {"spawn", {"threads"}, prepare_spawn},
    {"timer", {"us", "threads"}, prepare_timer},  {"timers", {}, prepare_timers},
    {"runtimes", {"workers"}, prepare_runtimes},
};

}  // namespace

std::span<const storm_kind> task_storms() { return table; }

}  // namespace cove::driver
