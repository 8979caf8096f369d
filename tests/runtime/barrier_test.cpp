#include <cove/runtime/barrier.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <vector>

namespace {

using cove::barrier;
using cove::join_handle;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

/// Goes through so many rounds; counts how often it was the one to lead.
task<int> go_rounds(barrier* at, int rounds, std::atomic<int>* arrivals, int parties) {
  int led = 0;
  for (int round = 1; round <= rounds; ++round) {
    ++*arrivals;
    const bool leads = co_await at->arrive_and_wait();
    if (leads) ++led;
    // All have arrived in this round, and nobody is more than one ahead.
    const int seen = arrivals->load();
    CHECK(seen >= round * parties);
    CHECK(seen <= (round + 1) * parties);
  }
  co_return led;
}

TEST_CASE("parties wait for one another round after round, and one of them leads") {
  run_in(plain_options(4), []() -> task<> {
    constexpr int parties = 6;
    constexpr int rounds = 200;
    barrier step(parties);
    std::atomic<int> arrivals{0};
    std::vector<join_handle<int>> tasks;
    for (int i = 0; i < parties; ++i)
      tasks.push_back(spawn(go_rounds, &step, rounds, &arrivals, parties));
    int led = 0;
    for (auto& each : tasks) {
      const int one = co_await each;
      led += one;
    }
    CHECK(led == rounds);
  });
}

task<bool> arrive(barrier* at) {
  const bool leads = co_await at->arrive_and_wait();
  co_return leads;
}

TEST_CASE("K17 a cancelled arrival is taken back, and another one may come in its place") {
  run_in(plain_options(1), []() -> task<> {
    barrier step(2);
    auto leaves = spawn(arrive, &step);
    co_await cove::this_task::yield();
    leaves.cancel();
    auto ended = co_await leaves.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    auto first = spawn(arrive, &step);
    co_await cove::this_task::yield();
    CHECK(!first.done());
    const bool leads = co_await step.arrive_and_wait();
    CHECK(leads);
    const bool other_leads = co_await first;
    CHECK(!other_leads);
  });
}

TEST_CASE("a party that leaves ends the round if all others are there") {
  run_in(plain_options(1), []() -> task<> {
    barrier step(3);
    auto first = spawn(arrive, &step);
    auto second = spawn(arrive, &step);
    co_await cove::this_task::yield();
    step.arrive_and_drop();
    const bool first_leads = co_await first;
    const bool second_leads = co_await second;
    CHECK(first_leads != second_leads);
    step.arrive_and_drop();
    const bool alone = co_await step.arrive_and_wait();
    CHECK(alone);
  });
}

TEST_CASE("a limit around the wait at a barrier takes the arrival back") {
  run_in(plain_options(1), []() -> task<> {
    barrier step(2);
    bool timed_out = false;
    try {
      co_await cove::with_timeout(step.arrive_and_wait(), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out = e.code() == std::errc::timed_out;
    }
    CHECK(timed_out);
    auto other = spawn(arrive, &step);
    co_await cove::this_task::yield();
    CHECK(!other.done());
    const bool leads = co_await step.arrive_and_wait();
    CHECK(leads);
    co_await other;
  });
}

TEST_CASE("an ordinary thread that leaves a barrier wakes the others") {
  run_in(plain_options(2), []() -> task<> {
    barrier step(2);
    std::thread leaver([&step] { step.arrive_and_drop(); });
    const bool leads = co_await step.arrive_and_wait();
    CHECK(leads);
    leaver.join();
  });
}

TEST_CASE("a barrier may go as soon as all waits of its last round have ended") {
  run_in(plain_options(4), []() -> task<> {
    for (int i = 0; i < 1000; ++i) {
      auto step = std::make_unique<barrier>(2);
      auto other = spawn(arrive, step.get());
      co_await step->arrive_and_wait();
      co_await other;
      step.reset();
    }
  });
}

}  // namespace
