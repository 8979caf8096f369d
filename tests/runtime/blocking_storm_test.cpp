#include "support/blocked_calls.hpp"
#include "support/parcel.hpp"
#include "support/stress.hpp"
#include "support/system_call_filter.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <random>

// Calls on the pool in numbers: from several workers, with requests at random moments, and where
// the system has no threads to give.

namespace {

using namespace std::chrono_literals;
using cove::blocking;
using cove::join_handle;
using cove::runtime;
using cove::spawn;
using cove::task;
using cove::test::blocked_calls;
using cove::test::parcel;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::small_pool;

constexpr int many = cove::test::sanitized ? 2'000 : 20'000;
constexpr int callers_most = 40;
constexpr int calls_each = many / callers_most;

cove::runtime_options crowded(unsigned workers, unsigned threads) {
  cove::runtime_options options = plain_options(workers);
  options.pool.user.threads_max = threads;
  return options;
}

/// A lane that grows by each call that waits, ends its threads as soon as they have nothing to do,
/// and lets most calls wait at its door.
cove::runtime_options restless(unsigned workers, unsigned threads) {
  cove::runtime_options options = crowded(workers, threads);
  options.pool.user.threads = 1;
  options.pool.user.grow_after = 0ms;
  options.pool.user.keep_idle = 0ms;
  options.pool.user.queue_max = 2;
  return options;
}

/// What calls have done.
struct tally {
  std::atomic<int> made{0};
  std::atomic<int> inside{0};
  std::atomic<int> most_inside{0};

  parcel count(parcel&& from) {
    const int now = ++inside;
    int seen = most_inside.load();
    while (now > seen && !most_inside.compare_exchange_weak(seen, now)) {
    }
    ++made;
    --inside;
    return std::move(from);
  }
};

task<int> call_often(tally* into, int times) {
  int sum = 0;
  for (int i = 0; i < times; ++i) {
    const parcel back = co_await blocking(&tally::count, into, parcel(i));
    sum += back.number();
  }
  co_return sum;
}

TEST_CASE("F14 thousands of calls from several workers: each is made once and gives its own") {
  for (const unsigned variant : {0U, 1U, 2U}) {
    const unsigned threads = variant == 0 ? 1 : 3;
    tally all;
    run_in(variant == 2 ? restless(4, threads) : crowded(4, threads), [&all]() -> task<> {
      std::vector<join_handle<int>> callers;
      for (int i = 0; i < callers_most; ++i) callers.push_back(spawn(call_often, &all, calls_each));
      for (auto& each : callers) {
        const int sum = co_await each;
        CHECK(sum == calls_each * (calls_each - 1) / 2);
      }
      CHECK(runtime::current()->stats().pool.user.finished == callers_most * calls_each);
    });
    CHECK(all.made == callers_most * calls_each);
    CHECK(all.most_inside <= static_cast<int>(threads));
    CHECK(parcel::alive == 0);
  }
}

/// One call under a limit of its own. Says whether the await got something.
task<bool> call_within(tally* into, std::chrono::nanoseconds limit) {
  auto limited = cove::with_timeout(blocking(&tally::count, into, parcel(1)).as_result(), limit);
  const auto ended = co_await std::move(limited);
  if (!ended.has_value()) CHECK(ended.error() == cove::errc::deadline_exceeded);
  co_return ended.has_value();
}

task<int> call_until_asked(tally* into, std::atomic<int>* got) {
  for (;;) {
    static_cast<void>(co_await blocking(&tally::count, into, parcel(1)));
    ++*got;
  }
}

TEST_CASE("F11 K17 in a storm of requests and limits each call is made and told, or neither") {
  std::mt19937_64 random(cove::test::stress_seed());
  for (int variant = 0; variant < 6; ++variant) {
    tally all;
    std::atomic<int> got{0};
    cove::runtime_options options = variant < 4
                                        ? crowded(variant < 2 ? 4 : 1, variant % 2 == 0 ? 1 : 3)
                                        : restless(variant == 4 ? 4 : 1, 3);
    options.tuning.entry_without_p = variant == 1 ? 3 : 0;
    run_in(options, [&]() -> task<> {
      constexpr int rounds = many / 40;
      for (int round = 0; round < rounds; ++round) {
        auto asked = spawn(call_until_asked, &all, &got);
        auto other = spawn(call_until_asked, &all, &got);
        std::vector<join_handle<bool>> limited;
        for (int i = 0; i < 4; ++i)
          limited.push_back(spawn(call_within, &all, std::chrono::nanoseconds(random() % 100'000)));
        for (auto turns = random() % 32; turns != 0; --turns) co_await cove::this_task::yield();
        asked.cancel();
        other.cancel();
        static_cast<void>(co_await asked.as_result());
        static_cast<void>(co_await other.as_result());
        for (auto& each : limited) {
          const bool told = co_await each;
          got += told ? 1 : 0;
        }
      }
    });
    CHECK(all.made == got);
    CHECK(parcel::alive == 0);
  }
}

task<> call_and_go(tally* into) {
  static_cast<void>(co_await blocking(&tally::count, into, parcel(1)));
}

TEST_CASE("F15 M04 a runtime that is stopped with calls under way leaves none behind") {
  constexpr int rounds = cove::test::sanitized ? 40 : 200;
  for (int round = 0; round < rounds; ++round) {
    tally all;
    {
      runtime in(round % 3 == 0 ? restless(2, 2) : crowded(2, 2));
      for (int i = 0; i < 20; ++i) in.spawn(call_and_go, &all).detach();
      if (round % 2 == 0) static_cast<void>(in.stop(0ms));
    }
    CHECK(all.inside == 0);
    CHECK(parcel::alive == 0);
  }
}

task<> call_on_all_lanes(tally* into, int times) {
  for (int i = 0; i < times; ++i) {
    const auto lane = static_cast<cove::pool_lane>(i % static_cast<int>(cove::pool_lanes));
    static_cast<void>(co_await blocking(lane, &tally::count, into, parcel(i)));
  }
}

TEST_CASE(
    "F14 calls on all lanes at once, with threads that come and go: each lane makes its own") {
  tally all;
  cove::runtime_options options = restless(4, 3);
  options.pool.file = options.pool.dns = options.pool.user;
  run_in(options, [&all]() -> task<> {
    std::vector<join_handle<>> callers;
    for (int i = 0; i < callers_most; ++i)
      callers.push_back(spawn(call_on_all_lanes, &all, calls_each));
    for (auto& each : callers) co_await each;
    const cove::pool_stats now = runtime::current()->stats().pool;
    CHECK(now.file.finished + now.dns.finished + now.user.finished == callers_most * calls_each);
    const std::array<cove::lane_stats, cove::pool_lanes> lanes{now.file, now.dns, now.user};
    for (const cove::lane_stats& lane : lanes) {
      CHECK(lane.finished >= callers_most * calls_each / 3 - callers_most);
      CHECK(lane.threads <= 3);
    }
  });
  CHECK(all.made == callers_most * calls_each);
  CHECK(all.most_inside <= 9);
  CHECK(parcel::alive == 0);
}

/// A call that its lane may refuse. Says whether it was made.
task<bool> call_if_there_is_room(tally* into) {
  const auto ended = co_await blocking(&tally::count, into, parcel(1)).as_result();
  if (!ended.has_value()) CHECK(ended.error() == std::errc::device_or_resource_busy);
  co_return ended.has_value();
}

TEST_CASE("F14 in a storm on a lane that refuses each call is made and told, or refused") {
  tally all;
  cove::runtime_options options = restless(4, 2);
  options.pool.user.refuse_when_full = true;
  run_in(options, [&all]() -> task<> {
    int got = 0;
    constexpr int rounds = many / callers_most;
    for (int round = 0; round < rounds; ++round) {
      std::vector<join_handle<bool>> callers;
      for (int i = 0; i < callers_most; ++i) callers.push_back(spawn(call_if_there_is_room, &all));
      for (auto& each : callers) {
        const bool made = co_await each;
        got += made ? 1 : 0;
      }
    }
    CHECK(all.made == got);
    const cove::lane_stats now = runtime::current()->stats().pool.user;
    CHECK(now.refused == static_cast<unsigned>(rounds * callers_most - got));
    CHECK(now.at_door == 0);
  });
  CHECK(parcel::alive == 0);
}

/// What a thread of the pool is.
struct traits {
  std::string name;
  bool interrupts = false;
  bool faults = false;
};
void look_around(traits* into) {
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof name);
  into->name = name;
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  into->interrupts = sigismember(&blocked, SIGINT) == 1 && sigismember(&blocked, SIGCHLD) == 1 &&
                     sigismember(&blocked, SIGRTMIN) == 1;
  into->faults = sigismember(&blocked, SIGSEGV) == 0;
}

TEST_CASE("threads of the pool have a name, and block all signals but those of faults") {
  traits seen;
  run_in(small_pool(1), [&seen]() -> task<> { co_await blocking(look_around, &seen); });
  CHECK(seen.name == "cove-user-1");
  CHECK(seen.interrupts);
  CHECK(seen.faults);
}

/// The thread that calls it can start no more threads.
void deny_threads() {
  REQUIRE(cove::test::deny({SYS_clone3, EAGAIN}));
  REQUIRE(cove::test::deny({SYS_clone, EAGAIN}));
}

int one() { return 1; }

TEST_CASE("without a thread a call fails and says what to do; the next one tries again") {
  run_in(small_pool(2), []() -> task<> {
    deny_threads();
    for (int i = 0; i < 2; ++i) {
      std::string text;
      std::error_code code;
      try {
        static_cast<void>(co_await blocking(one));
      } catch (const cove::error& e) {
        text = e.what();
        code = e.code();
      }
      CHECK(code == std::errc::resource_unavailable_try_again);
      CHECK(text.find("ulimit -u") != std::string::npos);
      const auto told = co_await blocking(one).as_result();
      CHECK(told.error() == code);
    }
    CHECK(runtime::current()->stats().pool.user.threads == 0);
    CHECK(runtime::current()->stats().pool.user.queued == 0);
  });
}

task<int> pass(blocked_calls* at, int number) {
  const int passed = co_await blocking(&blocked_calls::pass, at, number);
  co_return passed;
}

TEST_CASE("where the system gives no further thread, calls wait for those that are there") {
  run_in(small_pool(4), []() -> task<> {
    blocked_calls calls;
    auto first = spawn(pass, &calls, 1);
    co_await calls.have_begun(1);
    deny_threads();
    auto second = spawn(pass, &calls, 2);
    auto third = spawn(pass, &calls, 3);
    co_await calls.are_queued(2);
    calls.release(3);
    const int sum = (co_await first) + (co_await second) + (co_await third);
    CHECK(sum == 6);
    CHECK(runtime::current()->stats().pool.user.threads == 1);
  });
}

}  // namespace
