#include <cove/runtime/mutex.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <vector>

namespace {

using cove::event;
using cove::join_handle;
using cove::mutex;
using cove::mutex_guard;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

/// Takes the mutex, notes its number, and gives it back.
task<> visit(mutex* m, std::vector<int>* order, int number) {
  auto guard = co_await m->lock();
  order->push_back(number);
}

/// Spawns visitors 0 to count - 1 that wait in this order.
task<> queue_up(mutex* m, std::vector<int>* order, int count, std::vector<join_handle<>>* tasks) {
  for (int i = 0; i < count; ++i) {
    tasks->push_back(spawn(visit, m, order, i));
    co_await cove::this_task::yield();
  }
}

TEST_CASE("a mutex is held by one guard, and given back when that goes") {
  run_in(plain_options(1), []() -> task<> {
    mutex m;
    {
      auto guard = co_await m.lock();
      CHECK(guard.owns_lock());
      CHECK(guard.mutex() == &m);
      CHECK(!m.try_lock());
      mutex_guard moved = std::move(guard);
      CHECK(!m.try_lock());
      moved.unlock();
      CHECK(!moved.owns_lock());
      CHECK(m.try_lock().owns_lock());
    }
    CHECK(m.try_lock().owns_lock());
  });
}

TEST_CASE("M15 those who wait for a mutex are served in order") {
  run_in(plain_options(1), []() -> task<> {
    mutex m;
    std::vector<int> order;
    std::vector<join_handle<>> tasks;
    auto guard = co_await m.lock();
    co_await queue_up(&m, &order, 5, &tasks);
    CHECK(order.empty());
    guard.unlock();
    for (auto& each : tasks) co_await each;
    CHECK(order == cove::test::numbers(0, 1, 2, 3, 4));
  });
}

TEST_CASE("M15 a waiter that is cancelled leaves the mutex to the others, in order") {
  run_in(plain_options(1), []() -> task<> {
    mutex m;
    std::vector<int> order;
    std::vector<join_handle<>> tasks;
    auto guard = co_await m.lock();
    co_await queue_up(&m, &order, 4, &tasks);
    for (std::size_t i = 0; i < 4; i += 2) {
      tasks[i].cancel();
      auto ended = co_await tasks[i].as_result();
      CHECK(ended.error() == std::errc::operation_canceled);
    }
    guard.unlock();
    co_await tasks[1];
    co_await tasks[3];
    CHECK(order == cove::test::numbers(1, 3));
    CHECK(m.try_lock().owns_lock());
  });
}

TEST_CASE("M15 when all who waited were cancelled the mutex is given back as if none had") {
  run_in(plain_options(1), []() -> task<> {
    mutex m;
    std::vector<int> order;
    std::vector<join_handle<>> tasks;
    auto guard = co_await m.lock();
    co_await queue_up(&m, &order, 2, &tasks);
    for (auto& each : tasks) each.cancel();
    for (auto& each : tasks) static_cast<void>(co_await each.as_result());
    guard.unlock();
    CHECK(order.empty());
    CHECK(m.try_lock().owns_lock());
  });
}

TEST_CASE("M15 a waiter that was called and cancelled takes an open mutex") {
  run_in(plain_options(1), []() -> task<> {
    mutex m;
    std::vector<int> order;
    std::vector<join_handle<>> tasks;
    auto guard = co_await m.lock();
    co_await queue_up(&m, &order, 1, &tasks);
    guard.unlock();
    tasks[0].cancel();
    auto ended = co_await tasks[0].as_result();
    CHECK(ended.has_value());
    CHECK(order == cove::test::numbers(0));
    CHECK(m.try_lock().owns_lock());
  });
}

TEST_CASE("M15 a waiter that was called and cancelled leaves a taken mutex to the next") {
  run_in(plain_options(1), []() -> task<> {
    mutex m;
    std::vector<int> order;
    std::vector<join_handle<>> tasks;
    auto guard = co_await m.lock();
    co_await queue_up(&m, &order, 2, &tasks);
    guard.unlock();
    guard = m.try_lock();
    CHECK(guard.owns_lock());
    tasks[0].cancel();
    auto ended = co_await tasks[0].as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(order.empty());
    guard.unlock();
    co_await tasks[1];
    CHECK(order == cove::test::numbers(1));
  });
}

/// Takes the mutex at once after giving it back, and keeps it over a switch, until `other` is done.
task<int> keep_to_itself(mutex* m, join_handle<>* other) {
  int laps = 0;
  while (!other->done()) {
    auto guard = co_await m->lock();
    ++laps;
    co_await cove::this_task::yield();
  }
  co_return laps;
}

TEST_CASE("M15 a task that takes the mutex again and again passes a waiter a few times only") {
  run_in(plain_options(1), []() -> task<> {
    mutex m;
    std::vector<int> order;
    auto guard = co_await m.lock();
    auto other = spawn(visit, &m, &order, 1);
    co_await cove::this_task::yield();
    guard.unlock();
    const int laps = co_await keep_to_itself(&m, &other);
    CHECK(laps < 10);
    co_await other;
  });
}

TEST_CASE("a limit around lock ends the wait and takes nothing") {
  run_in(plain_options(1), []() -> task<> {
    mutex m;
    bool timed_out = false;
    auto guard = co_await m.lock();
    try {
      auto second = co_await cove::with_timeout(m.lock(), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out = e.code() == std::errc::timed_out;
    }
    CHECK(timed_out);
    guard.unlock();
    auto again = co_await cove::with_timeout(m.lock(), std::chrono::hours(1));
    CHECK(again.owns_lock());
  });
}

void give_back(mutex_guard held) { held.unlock(); }

TEST_CASE("a mutex given back by an ordinary thread goes to a task that waits") {
  run_in(plain_options(2), []() -> task<> {
    mutex m;
    auto guard = co_await m.lock();
    std::thread giver(give_back, std::move(guard));
    auto again = co_await m.lock();
    CHECK(again.owns_lock());
    giver.join();
  });
}

task<> hold_until(mutex* m, event* holds) {
  auto guard = co_await m->lock();
  holds->set();
}

TEST_CASE("a mutex may go as soon as its last holder gave it back") {
  run_in(plain_options(4), []() -> task<> {
    for (int i = 0; i < 2000; ++i) {
      auto m = std::make_unique<mutex>();
      event holds;
      auto other = spawn(hold_until, m.get(), &holds);
      co_await holds.wait();
      auto guard = co_await m->lock();
      guard.unlock();
      m.reset();
      co_await other;
    }
  });
}

/// Adds to a number that only the mutex guards.
task<> add(mutex* m, std::int64_t* sum, int times, bool keep) {
  for (int i = 0; i < times; ++i) {
    auto guard = co_await m->lock();
    const std::int64_t seen = *sum;
    if (keep && i % 8 == 0) co_await cove::this_task::yield();
    *sum = seen + 1;
  }
}

TEST_CASE("M15 one task at a time is inside, on any number of workers") {
  run_in(plain_options(4), []() -> task<> {
    mutex m;
    std::int64_t sum = 0;
    std::vector<join_handle<>> tasks;
    for (int i = 0; i < 40; ++i) tasks.push_back(spawn(add, &m, &sum, 500, i % 2 == 0));
    for (auto& each : tasks) co_await each;
    CHECK(sum == 40 * 500);
    CHECK(m.try_lock().owns_lock());
  });
}

TEST_CASE("M15 the mutex is not lost, whoever is cancelled meanwhile") {
  run_in(plain_options(4), []() -> task<> {
    for (int round = 0; round < 20; ++round) {
      mutex m;
      std::int64_t sum = 0;
      std::vector<join_handle<>> tasks;
      for (int i = 0; i < 30; ++i) tasks.push_back(spawn(add, &m, &sum, 100, true));
      for (std::size_t i = 0; i < 30; i += 2) {
        for (int j = 0; j < round; ++j) co_await cove::this_task::yield();
        tasks[i].cancel();
      }
      for (auto& each : tasks) static_cast<void>(co_await each.as_result());
      CHECK(sum >= 15 * 100);
      CHECK(m.try_lock().owns_lock());
    }
  });
}

}  // namespace
