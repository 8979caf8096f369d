#include <cove/runtime/blocking.hpp>

#include "support/blocked_calls.hpp"
#include "support/parcel.hpp"
#include "support/runtime_test.hpp"

#include <array>
#include <utility>

// How a lane of the pool grows, shrinks and bounds its queue, and what it tells of that. A lane
// under test is small, and what it waits for is either no time at all or never.

namespace {

using namespace std::chrono_literals;
using cove::blocking;
using cove::join_handle;
using cove::lane_options;
using cove::lane_stats;
using cove::pool_lane;
using cove::runtime;
using cove::spawn;
using cove::task;
using cove::test::blocked_calls;
using cove::test::eventually;
using cove::test::plain_options;
using cove::test::run_in;

constexpr std::chrono::milliseconds never = std::chrono::hours(24);

int add(int a, int b) { return a + b; }

lane_options threads(unsigned at_once, unsigned most) {
  lane_options lane;
  lane.threads = at_once;
  lane.threads_max = most;
  lane.grow_after = never;
  lane.keep_idle = never;
  return lane;
}

cove::runtime_options with(const lane_options& user) {
  cove::runtime_options options = plain_options(1);
  options.pool.user = user;
  return options;
}

lane_stats user_now() { return runtime::current()->stats().pool.user; }

task<int> pass(blocked_calls* at, int number, pool_lane lane) {
  const int passed = co_await blocking(lane, &blocked_calls::pass, at, number);
  co_return passed;
}

/// Calls that block, in the order of their numbers, each submitted before the next.
class stuck_calls {
 public:
  task<> submit(int count) {
    for (; count > 0; --count) {
      callers_.push_back(spawn(pass, &calls_, static_cast<int>(callers_.size()), pool_lane::user));
      const auto is_there = [all = callers_.size()] {
        const lane_stats now = user_now();
        return now.running + now.queued + now.at_door + now.taken_back + now.refused == all;
      };
      co_await eventually(is_there);
    }
  }
  task<> release_all() {
    calls_.release(static_cast<int>(callers_.size()));
    for (auto& each : callers_)
      if (each.root() != nullptr) static_cast<void>(co_await each.as_result());
  }

  /// It is not waited for by release_all().
  join_handle<int> take(std::size_t which) { return std::exchange(callers_[which], {}); }
  blocked_calls& calls() { return calls_; }

 private:
  blocked_calls calls_;
  std::vector<join_handle<int>> callers_;
};

TEST_CASE("F14 a lane whose calls are stuck grows to its limit, though nobody calls any more") {
  lane_options lane = threads(1, 3);
  lane.grow_after = 1ms;
  run_in(with(lane), []() -> task<> {
    stuck_calls stuck;
    co_await stuck.submit(5);
    co_await stuck.calls().have_begun(3);
    const lane_stats now = user_now();
    CHECK(now.threads == 3);
    CHECK(now.threads_max == 3);
    CHECK(now.running == 3);
    CHECK(now.queued == 2);
    CHECK(stuck.calls().begun() == 3);
    co_await stuck.release_all();
  });
}

TEST_CASE("a lane that may grow does not before a call has waited for long enough") {
  run_in(with(threads(2, 8)), []() -> task<> {
    stuck_calls stuck;
    co_await stuck.submit(6);
    co_await stuck.calls().have_begun(2);
    co_await cove::test::settle();
    CHECK(stuck.calls().begun() == 2);
    CHECK(user_now().threads <= 3);  // One looks out.
    co_await stuck.release_all();
    CHECK(user_now().finished == 6);
  });
}

TEST_CASE("who looks out takes a call when a thread comes free to be used") {
  lane_options lane = threads(1, 2);
  run_in(with(lane), []() -> task<> {
    stuck_calls stuck;
    co_await stuck.submit(2);  // One runs, one thread looks out.
    co_await stuck.release_all();
    // It may still wait for a moment that is a day away; calls go on all the same.
    for (int i = 0; i < 100; ++i) static_cast<void>(co_await blocking(add, i, i));
    CHECK(user_now().threads <= 2);
  });
}

TEST_CASE("threads that idle end, to the last one, and come back when they are needed") {
  lane_options lane = threads(3, 3);
  lane.keep_idle = 1ms;
  run_in(with(lane), []() -> task<> {
    for (unsigned round = 1; round <= 3; ++round) {
      blocked_calls calls;
      auto one = spawn(pass, &calls, 1, pool_lane::user);
      auto two = spawn(pass, &calls, 2, pool_lane::user);
      co_await calls.have_begun(2);
      CHECK(user_now().threads >= 2);
      calls.release(2);
      static_cast<void>(co_await one);
      static_cast<void>(co_await two);
      const auto gone = [] { return user_now().threads == 0; };
      co_await eventually(gone);
      CHECK(user_now().threads_started >= 2 * round);
      CHECK(user_now().finished == 2 * round);
    }
  });
}

TEST_CASE("a lane that has grown falls back to its usual number when it idled") {
  lane_options lane = threads(1, 4);
  lane.grow_after = 0ms;
  lane.keep_idle = 1ms;
  run_in(with(lane), []() -> task<> {
    {
      stuck_calls stuck;
      co_await stuck.submit(4);
      co_await stuck.calls().have_begun(4);
      co_await stuck.release_all();
    }
    const auto gone = [] { return user_now().threads == 0; };
    co_await eventually(gone);
    const int sum = co_await blocking(add, 1, 2);
    CHECK(sum == 3);
  });
}

TEST_CASE("F14 a full queue lets calls wait at its door, and admits them in order") {
  lane_options lane = threads(1, 1);
  lane.queue_max = 2;
  run_in(with(lane), []() -> task<> {
    stuck_calls stuck;
    co_await stuck.submit(6);
    co_await stuck.calls().have_begun(1);
    CHECK(user_now().queued == 2);
    CHECK(user_now().at_door == 3);
    for (int begun = 2; begun <= 6; ++begun) {
      stuck.calls().release(1);
      co_await stuck.calls().have_begun(begun);
      CHECK(user_now().queued == static_cast<unsigned>(std::min(2, 6 - begun)));
      CHECK(user_now().at_door == static_cast<unsigned>(std::max(0, 4 - begun)));
    }
    co_await stuck.release_all();
    CHECK(stuck.calls().in_order());
  });
}

TEST_CASE("F11 a call in a full queue or at its door can be taken back, and makes room") {
  lane_options lane = threads(1, 1);
  lane.queue_max = 2;
  run_in(with(lane), []() -> task<> {
    stuck_calls stuck;
    co_await stuck.submit(6);
    co_await stuck.calls().have_begun(1);
    constexpr std::array<std::size_t, 2> places{1, 4};  // In the queue; at the door.
    for (const std::size_t unwanted : places) {
      auto caller = stuck.take(unwanted);
      caller.cancel();
      const auto ended = co_await caller.as_result();
      CHECK(ended.error() == std::errc::operation_canceled);
      CHECK(user_now().queued == 2);
    }
    CHECK(user_now().at_door == 1);
    CHECK(user_now().taken_back == 2);
    auto limited = cove::with_timeout(pass(&stuck.calls(), 9, pool_lane::user), 1ms);
    const std::error_code late = co_await cove::test::code_of(std::move(limited));
    CHECK(late == cove::errc::deadline_exceeded);
    CHECK(user_now().taken_back == 3);
    co_await stuck.release_all();
    CHECK(stuck.calls().begun() == 4);
    CHECK(stuck.calls().in_order());
  });
}

TEST_CASE("a lane that refuses says so when its queue is full, and takes calls again later") {
  lane_options lane = threads(1, 1);
  lane.queue_max = 1;
  lane.refuse_when_full = true;
  run_in(with(lane), []() -> task<> {
    stuck_calls stuck;
    co_await stuck.submit(1);
    co_await stuck.calls().have_begun(1);
    co_await stuck.submit(1);
    auto late = blocking(add, 1, 1);
    const std::string text = co_await cove::test::outcome_of(std::move(late));
    CHECK(text.find("the queue of lane \"user\" is full (1 calls)") != std::string::npos);
    CHECK(text.find("queue_max") != std::string::npos);
    const auto told = co_await blocking(add, 1, 1).as_result();
    CHECK(told.error() == std::errc::device_or_resource_busy);
    CHECK(user_now().refused == 2);
    co_await stuck.release_all();
    const int sum = co_await blocking(add, 2, 2);
    CHECK(sum == 4);
  });
}

TEST_CASE("a lane tells how long calls have waited for a thread") {
  run_in(with(threads(1, 1)), []() -> task<> {
    stuck_calls stuck;
    co_await stuck.submit(2);
    co_await stuck.calls().have_begun(1);
    const cove::clock::time_point queued = cove::clock::now();
    co_await cove::this_task::sleep_for(1ms);
    const auto waited = cove::clock::now() - queued;
    co_await stuck.release_all();
    const lane_stats now = user_now();
    CHECK(now.waited_most >= waited);
    CHECK(now.waited >= now.waited_most);
    const std::string text = cove::to_string(runtime::current()->stats());
    CHECK(text.find("2 finished, 0 taken back, 0 refused") != std::string::npos);
  });
}

TEST_CASE("F15 M04 a report says which lanes have calls that have not ended") {
  runtime in(plain_options(1));
  blocked_calls calls;
  static_cast<void>(in.spawn(pass, &calls, 1, pool_lane::file));
  static_cast<void>(in.spawn(pass, &calls, 2, pool_lane::dns));
  CHECK(cove::test::thread_waits_for([&] { return calls.begun() == 2; }));
  CHECK(!in.stop(1ms));
  const std::string text = in.report();
  CHECK(text.find("calls on lane file: 1 running, 0 queued") != std::string::npos);
  CHECK(text.find("calls on lane dns: 1 running, 0 queued") != std::string::npos);
  CHECK(text.find("calls on lane user") == std::string::npos);
  calls.release(2);
  CHECK(in.stop(cove::test::patience));
}

std::string refusal_of(const lane_options& file) {
  cove::runtime_options options;
  options.pool.file = file;
  try {
    runtime in(options);
  } catch (const cove::error& e) {
    return e.what();
  }
  return "";
}

TEST_CASE("limits that make no sense are refused by name") {
  lane_options lane;
  lane.threads_max = 1025;
  CHECK(refusal_of(lane).find("runtime_options::pool.file.threads_max = 1025") !=
        std::string::npos);
  lane = threads(3, 2);
  CHECK(refusal_of(lane).find("runtime_options::pool.file.threads = 3") != std::string::npos);
  lane = {};
  lane.queue_max = 0;
  CHECK(refusal_of(lane).find("runtime_options::pool.file.queue_max = 0") != std::string::npos);
  lane = {};
  lane.keep_idle = -1ms;
  CHECK(refusal_of(lane).find("runtime_options::pool.file.keep_idle = -1 ms") != std::string::npos);
}

TEST_CASE("what is not said of a lane is chosen for the machine, within what was said") {
  cove::runtime_options options = plain_options(1);
  options.pool.user.threads_max = 100;
  options.pool.dns.threads = 20;
  runtime in(options);
  CHECK(in.stats().pool.user.threads_max == 100);
  CHECK(in.stats().pool.dns.threads_max == 20);
  CHECK(in.stats().pool.file.threads_max == 64);
}

}  // namespace
