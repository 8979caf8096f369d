#include "support/runtime_test.hpp"

#include <doctest/doctest.h>

// Waits that say by a result how they ended, in place of a throw.

namespace {

using cove::task;
using cove::with_timeout;
using cove::test::eventually;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;

/// The code that `wait` gives, once under a limit that passes and once when it is cancelled. Gives
/// way to nobody else, so each is made anew by `make`.
template <class Make>
task<> check_broken_off(Make make) {
  const auto limited = co_await with_timeout(make().as_result(), 1ms);
  CHECK(limited.error() == cove::errc::deadline_exceeded);

  std::error_code said;
  std::atomic<bool> begun{false};
  const auto waits = [&]() -> task<> {
    begun = true;
    const auto ended = co_await make().as_result();
    said = ended.error();
  };
  auto waiting = cove::spawn(waits);
  co_await eventually(begun);
  waiting.cancel();
  co_await waiting;
  CHECK(said == std::errc::operation_canceled);
}

TEST_CASE("waits that are broken off give their reason as a result") {
  for (const unsigned workers : {1U, 2U}) {
    run_in(plain_options(workers), []() -> task<> {
      cove::event never;
      cove::latch two(2);
      cove::barrier party(2);
      cove::semaphore none(0);
      cove::mutex taken;
      cove::shared_mutex shared;
      auto held = co_await taken.lock();
      auto also_held = co_await shared.lock();
      co_await check_broken_off([&] { return never.wait(); });
      co_await check_broken_off([&] { return two.wait(); });
      co_await check_broken_off([&] { return party.arrive_and_wait(); });
      co_await check_broken_off([&] { return none.acquire(); });
      co_await check_broken_off([&] { return taken.lock(); });
      co_await check_broken_off([&] { return shared.lock(); });
      co_await check_broken_off([&] { return shared.lock_shared(); });
      co_await check_broken_off([] { return cove::this_task::sleep_for(1h); });
      cove::timer far_away;
      far_away.expires_after(1h);
      co_await check_broken_off([&] { return far_away.wait(); });
      cove::rate_limiter slow(1, 1h, 1);
      co_await slow.acquire();
      co_await check_broken_off([&] { return slow.acquire(); });
      cove::interval rare(1h);
      co_await rare.tick();
      co_await check_broken_off([&] { return rare.tick(); });
    });
  }
}

TEST_CASE("waits that succeed give what they wait for as a result") {
  run_in(plain_options(1), []() -> task<> {
    cove::event set(true);
    const auto happened = co_await set.wait().as_result();
    CHECK(happened);
    const auto slept = co_await cove::this_task::sleep_for(1ms).as_result();
    CHECK(slept);

    cove::semaphore one(1);
    auto permit = co_await one.acquire().as_result();
    REQUIRE(permit);
    CHECK(permit->count() == 1);
    cove::mutex mutex;
    {
      auto guard = co_await mutex.lock().as_result();
      REQUIRE(guard);
      CHECK(guard->owns_lock());
      CHECK_FALSE(mutex.try_lock());
    }
    CHECK(mutex.try_lock());
    cove::interval often(1ms);
    const auto ticked = co_await often.tick().as_result();
    REQUIRE(ticked);
    CHECK(*ticked <= cove::clock::now());
    cove::timer soon;
    soon.expires_after(1ms);
    const auto fired = co_await soon.wait().as_result();
    REQUIRE(fired);
    CHECK(*fired);
    cove::barrier alone(1);
    const auto last = co_await alone.arrive_and_wait().as_result();
    REQUIRE(last);
    CHECK(*last);
  });
}

TEST_CASE("a select takes waits that give results") {
  run_in(plain_options(1), []() -> task<> {
    cove::event never;
    cove::semaphore one(1);
    auto first = co_await cove::select(never.wait().as_result(), one.acquire().as_result());
    CHECK(first.index() == 1);
    CHECK(std::get<1>(first)->count() == 1);
  });
}

}  // namespace
