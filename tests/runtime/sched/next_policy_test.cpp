#include "sched/next_policy.hpp"

#include "support/runtime_test.hpp"

#include <doctest/doctest.h>

// Which tasks in the next slot are kept for its owner; and, from outside, what that saves and that
// nobody is forgotten behind a task that goes on for long.

namespace {

using cove::join_handle;
using cove::runtime;
using cove::task;
using cove::sched::next_policy;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::thread_waits_for;
using std::chrono_literals::operator""s;

cove::runtime_options with_sysmon(unsigned workers) {
  cove::runtime_options options = plain_options(workers);
  options.sysmon = true;
  return options;
}

/// The task in the slot has to wait.
void go_on_for_long() {
  const std::int64_t start = cove::detail::now_ns();
  thread_waits_for([&] { return cove::detail::now_ns() - start > 1'000'000; }, 10s);
}

TEST_CASE("a task in the next slot is kept while those before it are short") {
  next_policy slot(true);
  int kept = 0;
  for (int i = 0; i < 1000; ++i) {
    if (slot.keep()) ++kept;
    slot.taken();
  }
  // A machine that stood still at one of the looks makes it share 64 of them.
  CHECK(kept > 100);
}

TEST_CASE("once a task had to wait, the next ones are shared, for a while") {
  next_policy slot(true);
  CHECK(slot.keep());  // The first one is looked at.
  go_on_for_long();
  slot.taken();
  CHECK(slot.shared());
  int shared = 0;
  while (!slot.keep() && shared < 1000) ++shared;
  CHECK(shared == 64);
  CHECK_FALSE(slot.shared());
  // And the first one that is kept again is looked at again.
  go_on_for_long();
  slot.taken();
  CHECK(slot.shared());
}

TEST_CASE("sysmon has it shared; without sysmon it always is") {
  next_policy slot(true);
  CHECK_FALSE(slot.shared());
  slot.share();
  CHECK(slot.shared());
  CHECK_FALSE(slot.keep());

  next_policy always(false);
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(always.keep());
  CHECK(always.shared());
}

task<> echo(cove::channel<int>* in, cove::channel<int>* out) {
  while (auto item = co_await in->receive()) co_await out->send(int(*item));
}

task<> talk(int rounds) {
  cove::channel<int> there(0);
  cove::channel<int> back(0);
  join_handle<> other = cove::spawn(echo, &there, &back);
  for (int i = 0; i < rounds; ++i) {
    co_await there.send(int(i));
    co_await back.receive();
  }
  there.close();
  co_await other;
}

TEST_CASE("two tasks that wake each other in turn wake no worker") {
  static constexpr int rounds = 20'000;
  run_in(with_sysmon(2), [](runtime& in) {
    const auto before = in.stats();
    in.block_on(talk, rounds);
    const auto after = in.stats();
    // Some are shared where the machine stood still. It was one or two a round.
    CHECK(after.wakes - before.wakes < rounds / 4);
    CHECK(after.polls - before.polls < rounds / 4);
  });
}

TEST_CASE("what lies behind a task that goes on is run by another worker") {
  run_in(with_sysmon(2), [](runtime& in) {
    for (int round = 0; round < 20; ++round) {
      in.block_on(talk, 100);  // So that short ones are the rule.
      std::atomic<bool> ran{false};
      const auto other = [&ran]() -> task<> {
        ran = true;
        co_return;
      };
      bool in_time = false;
      in.block_on([&]() -> task<> {
        join_handle<> handle = cove::spawn(other);
        in_time = thread_waits_for([&] { return ran.load(); }, 10s);
        co_await handle;
      });
      CHECK(in_time);
    }
  });
}

}  // namespace
