#include <cove/runtime.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/runtime_test.hpp"
#include "support/stress.hpp"

namespace {

using cove::join_handle;
using cove::result;
using cove::runtime;
using cove::runtime_options;
using cove::scope;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::stress_rounds;
using cove::test::stress_seed;
using cove::test::thread_waits_for;
using cove::this_task::sleep_for;
using cove::this_task::yield;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

// ----- a random mix -----

// A tree of tasks, each of which does random things: gives way, sleeps, spawns children as parts of
// a scope, as jobs of a supervisor or on their own, joins them, cancels them, lets go of them, all
// of it inside of limits or not. A budget of tasks ends it.

struct mix {
  mix(std::uint64_t seed_, int budget_) : seed(seed_), budget(budget_) {}

  const std::uint64_t seed;
  std::atomic<int> budget;
  std::atomic<std::uint64_t> numbers{0};
  // Each task that begins counts itself in and, whatever ends it, out.
  std::atomic<int> begun{0}, ended{0}, live{0};
  std::atomic<int> failures{0};

  /// A number generator of the task's own: numbers are drawn in the order of the spawns.
  std::mt19937 random() {
    return std::mt19937(static_cast<unsigned>(seed + 7919 * numbers.fetch_add(1)));
  }
};

class alive {
 public:
  explicit alive(mix& in) : in_(in) {
    ++in_.begun;
    ++in_.live;
  }
  alive(const alive&) = delete;
  alive& operator=(const alive&) = delete;
  ~alive() {
    ++in_.ended;
    --in_.live;
  }

 private:
  mix& in_;
};

task<int> grow(mix& in, int depth);

std::chrono::microseconds some_time(std::mt19937& random) {
  return std::chrono::microseconds(random() % 4 == 0 ? random() % 300 : 0);
}

/// Is it what a cancelled or late await may end with?
bool is_request(std::error_code code) {
  return code == std::errc::operation_canceled || code == std::errc::timed_out;
}

task<> join(mix& in, std::vector<join_handle<int>>& handles, std::mt19937& random) {
  std::shuffle(handles.begin(), handles.end(), random);
  while (!handles.empty()) {
    join_handle<int> handle = std::move(handles.back());
    handles.pop_back();
    switch (random() % 5) {
      case 0: break;  // Let go.
      case 1: handle.cancel(); break;
      case 2: handle.cancel(); [[fallthrough]];
      case 3: {
        const result<int> end = co_await handle.as_result();
        if (!end && !is_request(end.error())) ++in.failures;
        break;
      }
      default: {
        const auto waiting = cove::with_timeout(handle.as_result(), some_time(random));
        break;  // Not awaited: that is allowed, too.
      }
    }
  }
}

task<> spawn_some(mix& in, int depth, std::mt19937& random, auto&& spawn) {
  std::vector<join_handle<int>> handles;
  const unsigned count = 1 + random() % 4;
  for (unsigned i = 0; i < count && in.budget.fetch_sub(1) > 0; ++i) {
    handles.push_back(spawn(depth + 1));
    if (random() % 3 == 0) co_await yield();
  }
  co_await join(in, handles, random);
}

task<> in_scope(mix& in, int depth, std::mt19937& random) {
  auto body = [&](scope& parts) -> task<> {
    co_await spawn_some(in, depth, random,
                        [&](int d) { return parts.spawn(grow, std::ref(in), d); });
    if (random() % 4 == 0) parts.cancel();
  };
  co_await cove::with_scope(body);
}
task<> in_supervisor(mix& in, int depth, std::mt19937& random) {
  auto body = [&](cove::supervisor& jobs) -> task<> {
    co_await spawn_some(in, depth, random,
                        [&](int d) { return jobs.spawn(grow, std::ref(in), d); });
    if (random() % 4 == 0) jobs.cancel();
  };
  co_await cove::with_supervisor(body);
}
task<> on_their_own(mix& in, int depth, std::mt19937& random) {
  co_await spawn_some(in, depth, random, [&](int d) { return cove::spawn(grow, std::ref(in), d); });
}

task<> one_thing(mix& in, int depth, std::mt19937& random) {
  switch (random() % 6) {
    case 0: co_await yield(); break;
    case 1: co_await sleep_for(some_time(random)); break;
    case 2: co_await in_scope(in, depth, random); break;
    case 3: co_await in_supervisor(in, depth, random); break;
    case 4: co_await on_their_own(in, depth, random); break;
    default: co_await cove::with_timeout(in_scope(in, depth, random), some_time(random)); break;
  }
}

task<int> grow(mix& in, int depth) {
  const alive counted(in);
  std::mt19937 random = in.random();
  const unsigned things = 1 + random() % 4;
  for (unsigned i = 0; i < things && depth < 12; ++i) {
    const result<void> end = co_await one_thing(in, depth, random).as_result();
    if (!end && !is_request(end.error())) ++in.failures;
    // Some go on after they were asked to end, as they may.
    if (!end && random() % 2 == 0) co_return 0;
  }
  co_return 1;
}

/// Gives how many tasks ran.
int run_mix(runtime_options options, std::uint64_t seed) {
  static constexpr int tasks = 400;
  mix in(seed, tasks);
  {
    runtime on(std::move(options));
    const cove::test::hang_guard guard(on);
    const cove::test::clean_end end(on);
    std::mt19937 random = in.random();
    for (int i = 0; i < 4; ++i) {
      join_handle<int> root = on.spawn(grow, std::ref(in), 0);
      if (random() % 4 == 0) root.cancel();
      if (random() % 2 == 0) continue;
      try {
        on.wait(std::move(root));
      } catch (const cove::error& e) {
        if (!is_request(e.code())) ++in.failures;
      }
    }
    // Some rounds end in the midst of it.
    if (random() % 3 != 0) {
      const bool all = thread_waits_for([&] { return on.stats().tasks_live == 0; });
      CHECK(all);
    }
  }
  CHECK(in.begun == in.ended);
  CHECK(in.live == 0);
  CHECK(in.failures == 0);
  return in.begun;
}

TEST_CASE("a random mix of tasks leaves nothing behind, whatever the runtime is made of") {
  const std::uint64_t seed = stress_seed();
  const std::uint64_t rounds = stress_rounds(12);
  std::uint64_t number = 0;
  int tasks = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (const unsigned workers : {1U, 2U, 8U}) {
      for (unsigned variant = 0; variant < 8; ++variant) {
        auto options = plain_options(workers);
        options.sysmon = (variant & 1) != 0;
        options.spin = (variant & 2) != 0;
        if ((variant & 4) != 0) {
          options.tuning.ring_slots = 4;
          options.tuning.entry_without_p = 3;
        }
        INFO("workers ", workers, " variant ", variant, " mix ", number);
        tasks += run_mix(options, seed + 1'000'003 * number++);
      }
    }
  }
  MESSAGE(number, " mixes, ", tasks, " tasks");
}

// ----- lost wake-ups -----

task<> nothing() { co_return; }
task<> one_sleep(std::chrono::microseconds time) { co_await sleep_for(time); }

/// From nothing to some microseconds, in which the runtime gets to a random point on its way to
/// sleep.
void pause(std::mt19937_64& random) {
  const std::uint64_t longest = std::uint64_t{1} << (random() % 15);
  for (volatile std::uint64_t spin = random() % longest; spin > 0;) spin = spin - 1;
}

/// As thread_waits_for, but looks without a pause at first: what it waits for is a moment away.
bool spins_for(const std::atomic<std::uint64_t>& number, std::uint64_t goal) {
  for (unsigned i = 0; i < 20'000; ++i)
    if (number.load(std::memory_order_acquire) == goal) return true;
  return thread_waits_for([&] { return number.load() == goal; }, 10s);
}

task<> announce(std::atomic<std::uint64_t>& number) {
  number.fetch_add(1, std::memory_order_release);
  co_return;
}

/// Spawns from outside as soon as the task before has run, or some moments later, again and again;
/// fails where a wait takes seconds.
void hunt(const runtime_options& options, std::uint64_t rounds, std::uint64_t seed) {
  std::atomic<std::uint64_t> number{0};
  run_in(options, [&](runtime& in) {
    std::mt19937_64 random(seed);
    std::uint64_t lost = 0;
    for (std::uint64_t i = 1; i <= rounds && lost == 0; ++i) {
      pause(random);
      in.spawn(announce, std::ref(number));
      if (!spins_for(number, i)) ++lost;
    }
    CHECK(lost == 0);
    MESSAGE(options.workers, " workers: ", rounds, " rounds, ", in.stats().polls, " polls, ",
            in.stats().parks, " parks");
  });
}

TEST_CASE("no wake-up from outside is lost while the runtime goes to sleep") {
  const std::uint64_t seed = stress_seed();
  for (const unsigned workers : {1U, 2U, 8U})
    hunt(plain_options(workers), stress_rounds(20'000), seed);
}

TEST_CASE("no wake-up of several threads is lost while the runtime goes to sleep") {
  const std::uint64_t rounds = stress_rounds(5'000);
  const std::uint64_t seed = stress_seed();
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), [&](runtime& in) {
      std::vector<std::thread> threads;
      for (std::uint64_t t = 0; t < 3; ++t)
        threads.emplace_back([&, t] {
          std::mt19937_64 random(seed + t);
          for (std::uint64_t i = 0; i < rounds; ++i) {
            pause(random);
            // Blocks the thread, so wakes of threads are hunted as well.
            in.block_on(nothing);
          }
        });
      for (std::thread& each : threads) each.join();
    });
  }
}

TEST_CASE("no timer is lost while the runtime goes to sleep") {
  const std::uint64_t rounds = stress_rounds(3'000);
  const std::uint64_t seed = stress_seed();
  for (const unsigned workers : {1U, 2U, 8U}) {
    run_in(plain_options(workers), [&](runtime& in) {
      std::mt19937_64 random(seed);
      join_handle<> far_away = in.spawn([]() -> task<> { co_await sleep_for(1h); });
      std::vector<join_handle<>> handles;
      for (std::uint64_t i = 0; i < rounds; ++i) {
        handles.push_back(in.spawn(one_sleep, std::chrono::microseconds(random() % 150)));
        if (handles.size() < 1 + random() % 4) continue;
        for (auto& each : handles) in.wait(std::move(each));
        handles.clear();
      }
      for (auto& each : handles) in.wait(std::move(each));
      far_away.cancel();
    });
  }
}

TEST_CASE("no wake-up between tasks is lost, and none comes late, without sysmon and spinning") {
  const std::uint64_t rounds = stress_rounds(3'000);
  const std::uint64_t seed = stress_seed();
  for (const unsigned workers : {2U, 4U}) {
    run_in(plain_options(workers), [&](runtime& in) {
      std::mt19937_64 random(seed);
      std::uint64_t late = 0;
      for (std::uint64_t i = 0; i < rounds; ++i) {
        // A task keeps its worker until another has run: only a second worker can do that.
        std::atomic<bool> ran{false};
        const auto other = [&ran]() -> task<> {
          ran = true;
          co_return;
        };
        const auto keeping = [&]() -> task<> {
          pause(random);
          join_handle<> handle = cove::spawn(other);
          if (!thread_waits_for([&] { return ran.load(); }, 10s)) ++late;
          co_await handle;
        };
        in.block_on(keeping);
      }
      CHECK(late == 0);
    });
  }
}

}  // namespace
