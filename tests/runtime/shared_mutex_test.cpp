#include <cove/runtime/shared_mutex.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <vector>

namespace {

using cove::join_handle;
using cove::shared_mutex;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

task<> read(shared_mutex* m, std::vector<int>* order, int number) {
  auto guard = co_await m->lock_shared();
  order->push_back(number);
}

task<> write(shared_mutex* m, std::vector<int>* order, int number) {
  auto guard = co_await m->lock();
  order->push_back(number);
}

TEST_CASE("many read at once, one writes alone") {
  run_in(plain_options(1), []() -> task<> {
    shared_mutex m;
    {
      auto first = co_await m.lock_shared();
      auto second = co_await m.lock_shared();
      CHECK(first.owns_lock());
      CHECK(!second.is_exclusive());
      CHECK(!m.try_lock());
      CHECK(m.try_lock_shared().owns_lock());
    }
    auto alone = co_await m.lock();
    CHECK(alone.is_exclusive());
    CHECK(!m.try_lock_shared());
    alone.unlock();
    CHECK(m.try_lock().is_exclusive());
  });
}

TEST_CASE("a writer is not passed by readers that come after it") {
  run_in(plain_options(1), []() -> task<> {
    shared_mutex m;
    std::vector<int> order;
    auto reading = co_await m.lock_shared();
    auto writer = spawn(write, &m, &order, 1);
    co_await cove::this_task::yield();
    auto reader = spawn(read, &m, &order, 2);
    co_await cove::this_task::yield();
    CHECK(order.empty());
    CHECK(!m.try_lock_shared());
    reading.unlock();
    co_await writer;
    co_await reader;
    CHECK(order == cove::test::numbers(1, 2));
  });
}

TEST_CASE("M15 a writer that is cancelled lets the readers behind it go on") {
  run_in(plain_options(1), []() -> task<> {
    shared_mutex m;
    std::vector<int> order;
    auto reading = co_await m.lock_shared();
    auto writer = spawn(write, &m, &order, 1);
    co_await cove::this_task::yield();
    auto reader = spawn(read, &m, &order, 2);
    co_await cove::this_task::yield();
    writer.cancel();
    auto ended = co_await writer.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    co_await reader;
    CHECK(order == cove::test::numbers(2));
    reading.unlock();
    CHECK(m.try_lock().owns_lock());
  });
}

TEST_CASE("a limit around the locks of a shared mutex ends the wait and takes nothing") {
  run_in(plain_options(1), []() -> task<> {
    shared_mutex m;
    int timed_out = 0;
    auto alone = co_await m.lock();
    try {
      auto second = co_await cove::with_timeout(m.lock(), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out += e.code() == std::errc::timed_out ? 1 : 0;
    }
    try {
      auto second = co_await cove::with_timeout(m.lock_shared(), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out += e.code() == std::errc::timed_out ? 1 : 0;
    }
    CHECK(timed_out == 2);
    alone.unlock();
    CHECK(m.try_lock().owns_lock());
  });
}

void give_back(cove::shared_mutex_guard held) { held.unlock(); }

TEST_CASE("a shared mutex given back by an ordinary thread goes to a task that waits") {
  run_in(plain_options(2), []() -> task<> {
    shared_mutex m;
    auto reading = co_await m.lock_shared();
    std::thread giver(give_back, std::move(reading));
    auto alone = co_await m.lock();
    CHECK(alone.is_exclusive());
    giver.join();
  });
}

/// Two numbers that are equal whenever nobody writes.
struct pair_of_numbers {
  shared_mutex m;
  std::int64_t left = 0;
  std::int64_t right = 0;
};

task<> change(pair_of_numbers* both, int times) {
  for (int i = 0; i < times; ++i) {
    auto guard = co_await both->m.lock();
    ++both->left;
    if (i % 4 == 0) {
      // Left alone by a request, so that both change or none.
      try {
        co_await cove::this_task::yield();
      } catch (const cove::canceled&) {
      }
    }
    ++both->right;
  }
}

task<> compare(pair_of_numbers* both, int times) {
  for (int i = 0; i < times; ++i) {
    auto guard = co_await both->m.lock_shared();
    const std::int64_t left = both->left;
    co_await cove::this_task::yield();
    CHECK(both->right == left);
  }
}

TEST_CASE("M15 nobody reads while one writes, whoever is cancelled meanwhile") {
  run_in(plain_options(4), []() -> task<> {
    pair_of_numbers both;
    std::vector<join_handle<>> tasks;
    for (int i = 0; i < 10; ++i) {
      tasks.push_back(spawn(change, &both, 150));
      tasks.push_back(spawn(compare, &both, 150));
      tasks.push_back(spawn(compare, &both, 150));
    }
    for (std::size_t i = 0; i < 10; ++i) {
      for (std::size_t j = 0; j < i; ++j) co_await cove::this_task::yield();
      tasks[2 * i].cancel();
    }
    for (auto& each : tasks) static_cast<void>(co_await each.as_result());
    CHECK(both.left == both.right);
    CHECK(both.m.try_lock().owns_lock());
  });
}

task<> leave(shared_mutex* m) {
  auto guard = co_await m->lock();
  co_await cove::this_task::yield();
}

TEST_CASE("a shared mutex may go as soon as its last holder gave it back") {
  run_in(plain_options(4), []() -> task<> {
    for (int i = 0; i < 1000; ++i) {
      auto m = std::make_unique<shared_mutex>();
      auto other = spawn(leave, m.get());
      co_await cove::this_task::yield();
      auto guard = co_await m->lock();
      guard.unlock();
      co_await other;
      m.reset();
    }
  });
}

}  // namespace
