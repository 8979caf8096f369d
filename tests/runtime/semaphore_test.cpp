#include <cove/runtime/semaphore.hpp>

#include "support/runtime_test.hpp"

#include <vector>

namespace {

using cove::join_handle;
using cove::semaphore;
using cove::spawn;
using cove::task;
using cove::test::eventually;
using cove::test::plain_options;
using cove::test::run_in;

/// Takes `count` permits, notes its number, and gives them back when it is told to.
task<> hold(semaphore* from, std::size_t count, std::vector<int>* order, int number,
            semaphore* go_on) {
  auto permits = co_await from->acquire(count);
  order->push_back(number);
  auto told = co_await go_on->acquire();
  static_cast<void>(told.forget());
}

TEST_CASE("permits are taken, and given back when their holder goes") {
  run_in(plain_options(1), []() -> task<> {
    semaphore permits(3);
    {
      auto two = co_await permits.acquire(2);
      CHECK(two.count() == 2);
      CHECK(permits.available() == 1);
      auto none = permits.try_acquire(2);
      CHECK(none.count() == 0);
      auto one = permits.try_acquire();
      CHECK(one.count() == 1);
      CHECK(permits.available() == 0);
    }
    CHECK(permits.available() == 3);
  });
}

TEST_CASE("who waits is served in order, and who wants many is not passed") {
  run_in(plain_options(1), []() -> task<> {
    semaphore permits(2);
    semaphore go_on(0);
    std::vector<int> order;
    auto first = co_await permits.acquire(1);
    auto many = spawn(hold, &permits, std::size_t{2}, &order, 1, &go_on);
    co_await cove::this_task::yield();
    auto few = spawn(hold, &permits, std::size_t{1}, &order, 2, &go_on);
    co_await cove::this_task::yield();
    CHECK(permits.available() == 1);  // There is one, but the one in front wants two.
    CHECK(permits.try_acquire().count() == 0);
    first.release();
    const auto first_came = [&order] { return order.size() == 1; };
    co_await eventually(first_came);
    go_on.release(2);
    co_await many;
    co_await few;
    CHECK(order == cove::test::numbers(1, 2));
    CHECK(permits.available() == 2);
  });
}

TEST_CASE("M15 a waiter that is cancelled takes nothing and lets those behind go on") {
  run_in(plain_options(1), []() -> task<> {
    semaphore permits(2);
    semaphore go_on(0);
    std::vector<int> order;
    auto first = co_await permits.acquire(1);
    auto many = spawn(hold, &permits, std::size_t{2}, &order, 1, &go_on);
    co_await cove::this_task::yield();
    auto few = spawn(hold, &permits, std::size_t{1}, &order, 2, &go_on);
    co_await cove::this_task::yield();
    CHECK(order.empty());
    many.cancel();
    auto ended = co_await many.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    go_on.release();
    co_await few;
    CHECK(order == cove::test::numbers(2));
    first.release();
    CHECK(permits.available() == 2);
  });
}

TEST_CASE("a limit around acquire ends the wait and takes nothing") {
  run_in(plain_options(1), []() -> task<> {
    semaphore permits(0);
    bool timed_out = false;
    try {
      auto permit = co_await cove::with_timeout(permits.acquire(), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out = e.code() == std::errc::timed_out;
    }
    CHECK(timed_out);
    permits.release();
    CHECK(permits.available() == 1);
  });
}

TEST_CASE("permits given back by an ordinary thread wake a task") {
  run_in(plain_options(2), []() -> task<> {
    semaphore permits(0);
    std::thread giver([&permits] { permits.release(3); });
    auto all = co_await permits.acquire(3);
    giver.join();
    CHECK(all.count() == 3);
  });
}

/// Counts who is inside, also those who leave by an exception.
class visit {
 public:
  visit(std::atomic<int>& inside, std::atomic<int>& most) : inside_(inside) {
    const int now = ++inside_;
    int seen = most.load();
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
  }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;
  ~visit() { --inside_; }

 private:
  std::atomic<int>& inside_;
};

/// Takes a permit again and again.
task<> crowd(semaphore* permits, std::atomic<int>* inside, std::atomic<int>* most, int times) {
  for (int i = 0; i < times; ++i) {
    auto permit = co_await permits->acquire();
    const visit here(*inside, *most);
    co_await cove::this_task::yield();
  }
}

TEST_CASE("M15 never more are inside than there are permits, whoever is cancelled meanwhile") {
  run_in(plain_options(4), []() -> task<> {
    constexpr int limit = 3;
    semaphore permits(limit);
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::vector<join_handle<>> tasks;
    for (int i = 0; i < 40; ++i) tasks.push_back(spawn(crowd, &permits, &inside, &most, 200));
    for (std::size_t i = 0; i < 20; ++i) {
      for (std::size_t j = 0; j < i; ++j) co_await cove::this_task::yield();
      tasks[2 * i].cancel();
    }
    for (auto& each : tasks) static_cast<void>(co_await each.as_result());
    CHECK(most <= limit);
    CHECK(permits.available() == limit);
  });
}

}  // namespace
