#include <cove/runtime/timer.hpp>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "support/runtime_test.hpp"
#include "support/stress.hpp"

// A setting a round: a task sets its timer and waits, a thread or a task of another worker moves
// and cancels it about when it is due. Every setting ends in one way, so exactly one of the two is
// told. There are many tasks, so that neither side has to wait for the other to be scheduled.

namespace {

using cove::task;
using cove::timer;

constexpr std::uint64_t lane_count = 64;

struct lane {
  timer alarm;
  /// The round that was begun, and the one that the canceller has finished.
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> finished{0};
  /// The canceller's word on the round that it finished: it stopped the timer before it fired.
  bool stopped = false;

  // The task's.
  std::uint64_t fired = 0, canceled = 0, both = 0, neither = 0;
};

struct match {
  explicit match(std::uint64_t all) : rounds(all / lane_count + 1), lanes(lane_count) {}

  void check() const {
    std::uint64_t fired = 0, canceled = 0;
    for (const lane& each : lanes) {
      CHECK(each.both == 0);
      CHECK(each.neither == 0);
      fired += each.fired;
      canceled += each.canceled;
    }
    CHECK(fired + canceled == rounds * lanes.size());
    MESSAGE("fired ", fired, ", stopped ", canceled);
  }

  const std::uint64_t rounds;  ///< Of each lane.
  const std::uint64_t seed = cove::test::stress_seed();
  std::vector<lane> lanes;
};

std::chrono::nanoseconds soon(std::mt19937_64& random) {
  return std::chrono::nanoseconds(random() % 20'000);
}

/// The waiting side: a round is over when both have had their say.
task<> wait_rounds(lane* own, std::uint64_t rounds, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    own->alarm.expires_after(soon(random));
    own->begun.store(round, std::memory_order_release);
    const bool fired = co_await own->alarm.wait();
    while (own->finished.load(std::memory_order_acquire) != round)
      co_await cove::this_task::yield();
    ++(fired ? own->fired : own->canceled);
    own->both += fired && own->stopped ? 1 : 0;
    own->neither += !fired && !own->stopped ? 1 : 0;
  }
}

/// True if the setting was stopped. Moves it now and then, which must find it unfired as well;
/// where it had fired, the new one fires for whoever has not come to wait yet.
bool stop(timer& alarm, std::mt19937_64& random) {
  if (random() % 4 == 0 && !alarm.expires_after(soon(random))) return false;
  return alarm.cancel();
}

/// The other side, once over all lanes; true if all rounds are over. Leaves out some lanes, whose
/// timers may fire meanwhile.
bool cancel_some(match& all, std::mt19937_64& random) {
  bool over = true;
  for (lane& each : all.lanes) {
    const std::uint64_t finished = each.finished.load(std::memory_order_relaxed);
    if (finished == all.rounds) continue;
    over = false;
    if (each.begun.load(std::memory_order_acquire) == finished || random() % 2 == 0) continue;
    each.stopped = stop(each.alarm, random);
    each.finished.store(finished + 1, std::memory_order_release);
  }
  return over;
}

task<> wait_all(match* all) {
  const auto body = [all](cove::scope& parts) -> task<> {
    std::uint64_t seed = all->seed;
    for (lane& each : all->lanes) parts.spawn(wait_rounds, &each, all->rounds, ++seed).detach();
    co_return;
  };
  co_await cove::with_scope(body);
}

task<> cancel_all(match* all) {
  std::mt19937_64 random(all->seed);
  while (!cancel_some(*all, random)) co_await cove::this_task::yield();
}

TEST_CASE("T05 a timer that a thread stops when it is due fires or is stopped, never both") {
  match all(cove::test::stress_rounds(100'000));
  cove::runtime in(cove::test::plain_options(1));
  std::thread canceller([&] {
    std::mt19937_64 random(all.seed);
    while (!cancel_some(all, random)) std::this_thread::yield();
  });
  in.block_on(wait_all, &all);
  canceller.join();
  all.check();
}

TEST_CASE("T05 a timer that another worker stops when it is due fires or is stopped, never both") {
  match all(cove::test::stress_rounds(1'000'000));
  cove::runtime in(cove::test::plain_options(2));
  auto canceller = in.spawn(cancel_all, &all);
  in.block_on(wait_all, &all);
  in.wait(std::move(canceller));
  all.check();
}

}  // namespace
