#include <cove/runtime/rate_limiter.hpp>

#include "support/runtime_test.hpp"

#include <optional>

namespace {

using cove::join_handle;
using cove::rate_limiter;
using cove::runtime;
using cove::spawn;
using cove::task;
using cove::detail::token_bucket;
using cove::test::eventually;
using cove::test::outcome_of;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

using moment = cove::clock::time_point;

std::uint64_t timers() { return runtime::current()->stats().timers; }

task<> take(rate_limiter* from, std::size_t count, std::vector<int>* order, int number) {
  co_await from->acquire(count);
  order->push_back(number);
}

TEST_CASE("a bucket fills evenly, exactly, and not beyond its burst") {
  token_bucket thirds(3, 1'000'000'000, 2, 0);
  CHECK(thirds.take(2));
  CHECK_FALSE(thirds.take(1));
  CHECK(thirds.holds_at_ns(1) == 333'333'334);
  thirds.refill(333'333'333);
  CHECK(thirds.held() == 0);
  thirds.refill(333'333'334);
  CHECK(thirds.take(1));
  CHECK(thirds.holds_at_ns(1) == 666'666'667);
  thirds.refill(1'000'000'000);  // Nothing was lost by rounding: three in the second.
  CHECK(thirds.held() == 2);
  CHECK(thirds.holds_at_ns(2) == 1'000'000'000);
  thirds.refill(INT64_MAX);
  CHECK(thirds.held() == 2);
}

TEST_CASE("a bucket does not overflow, however slow, fast or large it is") {
  token_bucket slow(1, INT64_MAX, SIZE_MAX, 1'000);
  CHECK(slow.take(SIZE_MAX));
  CHECK(slow.holds_at_ns(1) == INT64_MAX);
  CHECK(slow.holds_at_ns(SIZE_MAX) == INT64_MAX);
  slow.refill(INT64_MAX);
  CHECK(slow.held() == 0);
  token_bucket fast(SIZE_MAX, 1, SIZE_MAX, 0);
  CHECK(fast.take(SIZE_MAX));
  CHECK(fast.holds_at_ns(SIZE_MAX) == 1);
  fast.refill(INT64_MAX);
  CHECK(fast.held() == SIZE_MAX);
  fast.refill(5);  // A clock that went back gives nothing.
  CHECK(fast.held() == SIZE_MAX);
}

TEST_CASE("a limiter that could not let anything pass is refused") {
  CHECK_THROWS_WITH_AS(rate_limiter(0, 1s, 1), doctest::Contains("0 tokens"), cove::error);
  CHECK_THROWS_WITH_AS(rate_limiter(1, 0s, 1), doctest::Contains("0 ns"), cove::error);
  CHECK_THROWS_WITH_AS(rate_limiter(1, 1s, 0), doctest::Contains("burst of 0"), cove::error);
  rate_limiter five(10, 1s, 5);
  CHECK(five.burst() == 5);
  CHECK_THROWS_WITH_AS(static_cast<void>(five.acquire(6)), doctest::Contains("more than 5"),
                       cove::error);
  CHECK_FALSE(five.try_acquire(6));
  CHECK(five.available() == 5);
}

TEST_CASE("the burst is there at once, the rest at the rate and not before") {
  run_in(plain_options(1), []() -> task<> {
    rate_limiter limiter(1, 500us, 3);
    const moment start = cove::clock::now();
    co_await limiter.acquire(3);
    for (int i = 1; i <= 6; ++i) {
      co_await limiter.acquire();
      CHECK(cove::clock::now() - start >= i * 500us);
    }
    CHECK(timers() == 0);
  });
}

TEST_CASE("who waits is served in order, and who wants many is not passed") {
  run_in(plain_options(1), []() -> task<> {
    rate_limiter limiter(1, 200us, 4);
    std::vector<int> order;
    co_await limiter.acquire(4);
    std::vector<join_handle<>> jobs;
    for (int i = 0; i < 6; ++i) {
      jobs.push_back(spawn(take, &limiter, i % 2 == 0 ? 4U : 1U, &order, i));
      co_await cove::this_task::yield();
    }
    CHECK_FALSE(limiter.try_acquire(0));  // Not before those who wait.
    for (auto& each : jobs) co_await each;
    CHECK(order == cove::test::numbers(0, 1, 2, 3, 4, 5));
    CHECK(timers() == 0);
  });
}

TEST_CASE("a wait that is cancelled takes nothing, and those behind move up") {
  run_in(plain_options(2), []() -> task<> {
    rate_limiter limiter(1000, 1h, 2000);  // 3.6 s each
    std::vector<int> order;
    co_await limiter.acquire(2000);
    auto first = spawn(take, &limiter, 2000U, &order, 1);
    const auto waits = [] { return timers() == 1; };
    co_await eventually(waits);
    rate_limiter quick(1, 200us, 500'000);
    co_await quick.acquire(500'000);
    auto large = spawn(take, &quick, 500'000U, &order, 2);
    const auto both_wait = [] { return timers() == 2; };
    co_await eventually(both_wait);
    auto small = spawn(take, &quick, 1U, &order, 3);
    for (int i = 0; i < 5; ++i) co_await cove::this_task::yield();
    large.cancel();
    co_await small;  // After 200 us, and not after 100 s.
    CHECK(order == cove::test::numbers(3));
    const std::string ended = co_await outcome_of(std::move(large));
    CHECK(ended == "canceled");
    first.cancel();
    const std::string first_ended = co_await outcome_of(std::move(first));
    CHECK(first_ended == "canceled");
    CHECK(limiter.available() < 2000);
    CHECK(timers() == 0);
  });
}

TEST_CASE("a limit around acquire ends the wait") {
  run_in(plain_options(1), []() -> task<> {
    rate_limiter limiter(1, 1h, 1);
    CHECK(limiter.try_acquire());
    CHECK_FALSE(limiter.try_acquire());
    const std::string ended = co_await outcome_of(cove::with_timeout(limiter.acquire(), 200us));
    CHECK(ended == "deadline");
    co_await limiter.acquire(0);
    CHECK(timers() == 0);
  });
}

task<> acquire_and_destroy(std::optional<rate_limiter>* which) {
  co_await (*which)->acquire(2);
  which->reset();
}

TEST_CASE("a limiter is destroyed as soon as it has served its last waiter") {
  run_in(plain_options(4), []() -> task<> {
    for (int i = 0; i < 200; ++i) {
      std::optional<rate_limiter> limiter(std::in_place, 1U, 5us, 2U);
      auto before = spawn([&limiter]() -> task<> { co_await limiter->acquire(2); });
      co_await before;
      co_await cove::spawn(acquire_and_destroy, &limiter);
    }
  });
}

task<> use(rate_limiter* from, std::atomic<std::uint64_t>* used, unsigned seed) {
  for (unsigned i = 0; i < 60; ++i) {
    const std::size_t count = 1 + (seed + i) % 3;
    co_await from->acquire(count);
    *used += count;
  }
}

TEST_CASE(
    "never more is used than has come, by many workers, tasks and threads, and cancelled ones") {
  for (const unsigned entry_without_p : {0U, 3U}) {
    cove::runtime_options options = plain_options(4);
    options.tuning.entry_without_p = entry_without_p;
    run_in(std::move(options), []() -> task<> {
      rate_limiter limiter(1, 2us, 3);
      const moment start = cove::clock::now();
      std::atomic<std::uint64_t> used{0};
      std::thread other([&] {
        for (int i = 0; i < 1000; ++i) used += limiter.try_acquire() ? 1U : 0U;
      });
      std::vector<join_handle<>> users;
      for (unsigned i = 0; i < 20; ++i) users.push_back(spawn(use, &limiter, &used, i));
      for (std::size_t i = 0; i < 10; ++i) {
        for (std::size_t j = 0; j < i; ++j) co_await cove::this_task::yield();
        users[2 * i].cancel();
      }
      for (auto& each : users) static_cast<void>(co_await each.as_result());
      other.join();
      const auto most = 3 + (cove::clock::now() - start) / 2us;
      CHECK(used.load() <= static_cast<std::uint64_t>(most));
      CHECK(timers() == 0);
    });
  }
}

}  // namespace
