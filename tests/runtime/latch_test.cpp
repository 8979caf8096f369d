#include <cove/runtime/latch.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <vector>

namespace {

using cove::join_handle;
using cove::latch;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

task<> count_down(latch* which) {
  which->count_down();
  co_return;
}

task<> arrive(latch* which, std::atomic<int>* passed) {
  co_await which->arrive_and_wait();
  ++*passed;
}

TEST_CASE("the wait for a latch ends when its count is zero") {
  run_in(plain_options(1), []() -> task<> {
    latch parts(3);
    CHECK(!parts.try_wait());
    parts.count_down(2);
    auto last = spawn(count_down, &parts);
    CHECK(!parts.try_wait());
    co_await parts.wait();
    CHECK(parts.try_wait());
    co_await parts.wait();
    co_await last;
  });
}

TEST_CASE("those who arrive and wait go on together") {
  run_in(plain_options(1), []() -> task<> {
    latch all(3);
    std::atomic<int> passed{0};
    auto first = spawn(arrive, &all, &passed);
    auto second = spawn(arrive, &all, &passed);
    co_await cove::this_task::yield();
    CHECK(passed == 0);
    co_await all.arrive_and_wait();
    co_await first;
    co_await second;
    CHECK(passed == 2);
  });
}

TEST_CASE("K17 a waiter that is cancelled has arrived all the same") {
  run_in(plain_options(1), []() -> task<> {
    latch all(2);
    std::atomic<int> passed{0};
    auto leaves = spawn(arrive, &all, &passed);
    co_await cove::this_task::yield();
    leaves.cancel();
    auto ended = co_await leaves.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(passed == 0);
    co_await all.arrive_and_wait();
    CHECK(all.try_wait());
  });
}

TEST_CASE("a limit around the wait for a latch ends it") {
  run_in(plain_options(1), []() -> task<> {
    latch never(1);
    bool timed_out = false;
    try {
      co_await cove::with_timeout(never.wait(), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out = e.code() == std::errc::timed_out;
    }
    CHECK(timed_out);
  });
}

TEST_CASE("a latch counted down by an ordinary thread wakes a task") {
  run_in(plain_options(2), []() -> task<> {
    latch parts(2);
    std::thread counter([&parts] { parts.count_down(); });
    co_await parts.arrive_and_wait();
    counter.join();
  });
}

TEST_CASE("a latch may go as soon as the wait for it has ended") {
  run_in(plain_options(4), []() -> task<> {
    for (int i = 0; i < 1000; ++i) {
      auto parts = std::make_unique<latch>(3);
      std::vector<join_handle<>> tasks;
      for (int j = 0; j < 3; ++j) tasks.push_back(spawn(count_down, parts.get()));
      co_await parts->wait();
      parts.reset();
      for (auto& each : tasks) co_await each;
    }
  });
}

}  // namespace
