#include <cove/runtime/condition_variable.hpp>

#include "support/runtime_test.hpp"

#include <deque>
#include <vector>

namespace {

using cove::condition_variable;
using cove::join_handle;
using cove::mutex;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

/// A number under a mutex, and the news that it has changed.
struct shared_number {
  mutex m;
  condition_variable changed;
  int value = 0;
  std::vector<int> order;
};

/// Waits once, and notes its number.
task<> wait_once(shared_number* on, int number) {
  auto guard = co_await on->m.lock();
  co_await on->changed.wait(guard);
  on->order.push_back(number);
}

task<> wait_for_value(shared_number* on, int value) {
  auto guard = co_await on->m.lock();
  const auto reached = [on, value] { return on->value >= value; };
  co_await on->changed.wait(guard, reached);
  on->order.push_back(value);
}

task<> wait_in_order(shared_number* on, int count, std::vector<join_handle<>>* tasks) {
  for (int i = 0; i < count; ++i) {
    tasks->push_back(spawn(wait_once, on, i));
    co_await cove::this_task::yield();
  }
}

TEST_CASE("notify_one wakes who has waited longest, notify_all the others") {
  run_in(plain_options(1), []() -> task<> {
    shared_number number;
    std::vector<join_handle<>> tasks;
    number.changed.notify_one();  // Nobody waits: it goes to nobody.
    co_await wait_in_order(&number, 4, &tasks);
    number.changed.notify_one();
    co_await tasks[0];
    CHECK(number.order == cove::test::numbers(0));
    number.changed.notify_all();
    for (std::size_t i = 1; i < 4; ++i) co_await tasks[i];
    CHECK(number.order == cove::test::numbers(0, 1, 2, 3));
  });
}

TEST_CASE("waiting gives the mutex back, and ends when it has it again") {
  run_in(plain_options(1), []() -> task<> {
    shared_number number;
    auto waits = spawn(wait_once, &number, 1);
    co_await cove::this_task::yield();
    auto guard = number.m.try_lock();
    CHECK(guard.owns_lock());
    number.changed.notify_one();
    co_await cove::this_task::yield();
    CHECK(!waits.done());
    guard.unlock();
    co_await waits;
  });
}

TEST_CASE("a wait with a condition goes on only when it holds") {
  run_in(plain_options(1), []() -> task<> {
    shared_number number;
    auto third = spawn(wait_for_value, &number, 3);
    auto first = spawn(wait_for_value, &number, 1);
    for (int i = 0; i < 3; ++i) {
      co_await cove::this_task::yield();
      auto guard = co_await number.m.lock();
      ++number.value;
      number.changed.notify_all();
    }
    co_await first;
    co_await third;
    CHECK(number.order == cove::test::numbers(1, 3));
  });
}

/// Says whether the mutex was held when the wait was broken off.
task<bool> holds_after_cancel(shared_number* on) {
  auto guard = co_await on->m.lock();
  bool broken_off = false;
  try {
    co_await on->changed.wait(guard);
  } catch (const cove::canceled&) {
    broken_off = true;
  }
  co_return broken_off&& guard.owns_lock() && !on->m.try_lock();
}

TEST_CASE("K17 a wait that is cancelled takes the mutex again first") {
  run_in(plain_options(1), []() -> task<> {
    shared_number number;
    auto waits = spawn(holds_after_cancel, &number);
    co_await cove::this_task::yield();
    auto guard = number.m.try_lock();
    waits.cancel();
    co_await cove::this_task::yield();
    co_await cove::this_task::yield();
    CHECK(!waits.done());
    guard.unlock();
    const bool first_held = co_await waits;
    CHECK(first_held);
    // With nobody in the mutex it is had at once.
    auto second = spawn(holds_after_cancel, &number);
    co_await cove::this_task::yield();
    second.cancel();
    const bool second_held = co_await second;
    CHECK(second_held);
    CHECK(number.m.try_lock().owns_lock());
  });
}

TEST_CASE("K18 a wait that is notified and cancelled in the same moment was notified") {
  run_in(plain_options(1), []() -> task<> {
    shared_number number;
    std::vector<join_handle<>> tasks;
    co_await wait_in_order(&number, 2, &tasks);
    number.changed.notify_one();
    tasks[0].cancel();
    auto ended = co_await tasks[0].as_result();
    CHECK(ended.has_value());
    CHECK(number.order == cove::test::numbers(0));
    tasks[1].cancel();
    static_cast<void>(co_await tasks[1].as_result());
    CHECK(number.order == cove::test::numbers(0));
  });
}

TEST_CASE("a limit around a wait ends it with the mutex held") {
  run_in(plain_options(1), []() -> task<> {
    shared_number number;
    auto guard = co_await number.m.lock();
    bool timed_out = false;
    try {
      co_await cove::with_timeout(number.changed.wait(guard), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out = e.code() == std::errc::timed_out;
    }
    CHECK(timed_out);
    CHECK(guard.owns_lock());
    CHECK(!number.m.try_lock());
  });
}

TEST_CASE("a notification by an ordinary thread wakes a task") {
  run_in(plain_options(2), []() -> task<> {
    shared_number number;
    auto waits = spawn(wait_for_value, &number, 1);
    std::thread teller([&number] {
      cove::mutex_guard guard;
      while (!(guard = number.m.try_lock())) {
      }
      number.value = 1;
      guard.unlock();
      number.changed.notify_one();
    });
    co_await waits;
    teller.join();
  });
}

/// A queue with room for two.
struct small_queue {
  mutex m;
  condition_variable not_empty;
  condition_variable not_full;
  std::deque<int> items;
};

task<> produce(small_queue* to, int count) {
  for (int i = 1; i <= count; ++i) {
    auto guard = co_await to->m.lock();
    const auto has_room = [to] { return to->items.size() < 2; };
    co_await to->not_full.wait(guard, has_room);
    to->items.push_back(i);
    to->not_empty.notify_one();
  }
}

/// Takes what there is until it is cancelled.
task<> consume(small_queue* from, std::atomic<std::int64_t>* sum, std::atomic<int>* taken) {
  for (;;) {
    auto guard = co_await from->m.lock();
    const auto has_items = [from] { return !from->items.empty(); };
    co_await from->not_empty.wait(guard, has_items);
    *sum += from->items.front();
    from->items.pop_front();
    ++*taken;
    from->not_full.notify_one();
  }
}

TEST_CASE("K17 no notification is lost on several workers, whoever is cancelled meanwhile") {
  run_in(plain_options(4), []() -> task<> {
    constexpr int producers = 8;
    constexpr int each_makes = 300;
    small_queue queue;
    std::atomic<std::int64_t> sum{0};
    std::atomic<int> taken{0};
    std::vector<join_handle<>> makers;
    std::vector<join_handle<>> takers;
    for (int i = 0; i < producers; ++i) makers.push_back(spawn(produce, &queue, each_makes));
    for (int i = 0; i < 16; ++i) takers.push_back(spawn(consume, &queue, &sum, &taken));
    for (std::size_t i = 0; i < 12; ++i) {
      for (int j = 0; j < 50; ++j) co_await cove::this_task::yield();
      takers[i].cancel();
    }
    for (auto& each : makers) co_await each;
    const auto all_taken = [&taken] { return taken == producers * each_makes; };
    co_await cove::test::eventually(all_taken);
    for (auto& each : takers) each.cancel();
    for (auto& each : takers) static_cast<void>(co_await each.as_result());
    CHECK(sum == std::int64_t{producers} * each_makes * (each_makes + 1) / 2);
  });
}

}  // namespace
