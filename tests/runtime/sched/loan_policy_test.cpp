#include "sched/loan_policy.hpp"

#include "sched/parker.hpp"
#include "support/runtime_test.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

// When a worker waits awake for a call on the pool; and, from outside, that such a worker is found
// by whoever brings it work.

namespace {

using cove::task;
using cove::sched::loan_policy;
using cove::test::plain_options;
using cove::test::run_in;

constexpr std::int64_t soon = loan_policy::limit_ns;
constexpr std::int64_t late = 2 * loan_policy::limit_ns;

/// Waits until the policy would have a worker stay awake; at most `most` of them are spent asleep.
int asleep_before_next(loan_policy& policy, int most) {
  int asleep = 0;
  while (asleep < most && !policy.worth_it()) {
    policy.ended(soon, false);
    ++asleep;
  }
  return asleep;
}

TEST_CASE("a worker stays awake for a call once one has come back soon") {
  loan_policy policy;
  CHECK(!policy.worth_it());
  policy.ended(late, false);
  CHECK(!policy.worth_it());
  policy.ended(soon, false);
  CHECK(policy.worth_it());
  policy.ended(soon, true);
  CHECK(policy.worth_it());
  policy.ended(late, false);
  CHECK(!policy.worth_it());
}

TEST_CASE("a worker that stays awake for nothing tries that less and less, until it pays") {
  loan_policy policy;
  policy.ended(soon, false);
  int before = 0;
  for (const int asleep : {0, 1, 3, 7, 15, 31, 63, 127, 255, 255, 255}) {
    CHECK(asleep_before_next(policy, 1000) == asleep);
    before += asleep;
    policy.wasted();
    policy.ended(soon, false);
  }
  CHECK(before > 1000);
  asleep_before_next(policy, 1000);
  policy.ended(soon, true);
  CHECK(policy.worth_it());
  policy.wasted();
  policy.ended(soon, false);
  CHECK(asleep_before_next(policy, 1000) == 1);
}

TEST_CASE("a parker's token is taken once") {
  cove::sched::parker sleep;
  CHECK(!sleep.take());
  sleep.unpark();
  sleep.unpark();
  CHECK(sleep.take());
  CHECK(!sleep.take());
  std::thread other([&sleep] { sleep.unpark(); });
  while (!sleep.take()) std::this_thread::yield();
  other.join();
  CHECK(!sleep.take());
}

int one_more(int n) { return n + 1; }

task<> calls(int count) {
  int at = 0;
  while (at < count) {
    const int next = co_await cove::blocking(one_more, at);
    REQUIRE(next == at + 1);
    at = next;
  }
}

task<> calls_of_several(int tasks, int each) {
  std::vector<cove::join_handle<>> all;
  for (int i = 0; i < tasks; ++i) all.push_back(cove::spawn(calls, each));
  for (auto& one : all) co_await one;
}

TEST_CASE("calls one after the other come back to workers that stay awake, and to no other") {
  for (const unsigned workers : {1u, 2u, 8u}) {
    for (const int tasks : {1, 3}) {
      CAPTURE(workers);
      CAPTURE(tasks);
      cove::runtime_options options = plain_options(workers);
      options.spin = true;
      run_in(options, [tasks] { return calls_of_several(tasks, 2000); });
    }
  }
}

}  // namespace
