#include <cove/runtime/event.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <vector>

namespace {

using cove::event;
using cove::join_handle;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

task<> wait_and_count(event* on, std::atomic<int>* woken) {
  co_await on->wait();
  ++*woken;
}

task<> set(event* which) {
  which->set();
  co_return;
}

TEST_CASE("waiting for an event that is set ends at once, and leaves it set") {
  run_in(plain_options(1), []() -> task<> {
    event ready(true);
    co_await ready.wait();
    CHECK(ready.is_set());
  });
}

TEST_CASE("set wakes all who wait, also if the event is reset right after") {
  run_in(plain_options(1), []() -> task<> {
    event ready;
    std::atomic<int> woken{0};
    std::vector<join_handle<>> early;
    for (int i = 0; i < 5; ++i) early.push_back(spawn(wait_and_count, &ready, &woken));
    co_await cove::this_task::yield();
    CHECK(woken == 0);
    ready.set();
    ready.reset();
    for (auto& each : early) co_await each;
    CHECK(woken == 5);
    auto late = spawn(wait_and_count, &ready, &woken);
    co_await cove::this_task::yield();
    CHECK(!late.done());
    ready.set();
    co_await late;
    CHECK(woken == 6);
  });
}

TEST_CASE("K17 a waiter that is cancelled leaves the event and the others as they were") {
  run_in(plain_options(1), []() -> task<> {
    event ready;
    std::atomic<int> woken{0};
    auto stays = spawn(wait_and_count, &ready, &woken);
    auto leaves = spawn(wait_and_count, &ready, &woken);
    co_await cove::this_task::yield();
    leaves.cancel();
    auto ended = co_await leaves.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(!ready.is_set());
    ready.set();
    co_await stays;
    CHECK(woken == 1);
  });
}

TEST_CASE("K18 an event set in the moment in which the waiter is cancelled was waited for") {
  run_in(plain_options(1), []() -> task<> {
    event ready;
    std::atomic<int> woken{0};
    auto both = spawn(wait_and_count, &ready, &woken);
    co_await cove::this_task::yield();
    ready.set();
    both.cancel();
    auto ended = co_await both.as_result();
    CHECK(ended.has_value());
    CHECK(woken == 1);
  });
}

TEST_CASE("a limit around the wait for an event ends it") {
  run_in(plain_options(1), []() -> task<> {
    event never;
    bool timed_out = false;
    try {
      co_await cove::with_timeout(never.wait(), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out = e.code() == std::errc::timed_out;
    }
    CHECK(timed_out);
  });
}

TEST_CASE("an event set by an ordinary thread wakes a task") {
  run_in(plain_options(2), []() -> task<> {
    event ready;
    int written = 0;
    std::thread setter([&] {
      written = 1;
      ready.set();
    });
    co_await ready.wait();
    CHECK(written == 1);
    setter.join();
  });
}

TEST_CASE("an event may go as soon as the wait for it has ended") {
  run_in(plain_options(4), []() -> task<> {
    for (int i = 0; i < 2000; ++i) {
      auto ready = std::make_unique<event>();
      auto setter = spawn(set, ready.get());
      co_await ready->wait();
      ready.reset();
      co_await setter;
    }
  });
}

}  // namespace
