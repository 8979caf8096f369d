#include <cove/runtime/timer.hpp>

#include "support/runtime_test.hpp"

#include <array>
#include <optional>
#include <random>

namespace {

using cove::join_handle;
using cove::runtime;
using cove::spawn;
using cove::task;
using cove::timer;
using cove::test::eventually;
using cove::test::outcome_of;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;

using moment = cove::clock::time_point;

task<bool> wait_for(timer* which) { co_return co_await which->wait(); }

std::uint64_t timers() { return runtime::current()->stats().timers; }

/// Until so many wait, each with its timer set.
task<> until_waiting(std::uint64_t count) {
  const auto all_wait = [count] { return timers() == count; };
  co_await eventually(all_wait);
}

TEST_CASE("T01 a timer fires when its moment has come, and not before") {
  run_in(plain_options(), []() -> task<> {
    timer alarm;
    for (int i = 0; i < 20; ++i) {
      const moment when = cove::clock::now() + i * 100us;
      CHECK_FALSE(alarm.expires_at(when));
      CHECK(alarm.expiry() == when);
      const bool fired = co_await alarm.wait();
      CHECK(fired);
      CHECK(cove::clock::now() >= when);
      CHECK_FALSE(alarm.is_pending());
    }
  });
}

TEST_CASE("a wait ends at once where nothing is set, or the timer has fired") {
  run_in(plain_options(1), []() -> task<> {
    timer alarm;
    CHECK(alarm.expiry() == moment::max());
    CHECK_FALSE(alarm.cancel());
    bool fired = co_await alarm.wait();
    CHECK_FALSE(fired);
    alarm.expires_after(-1h);
    for (int i = 0; i < 3; ++i) {
      fired = co_await alarm.wait();
      CHECK(fired);
    }
    CHECK_FALSE(alarm.cancel());  // Too late: it stays as it is.
    fired = co_await alarm.wait();
    CHECK(fired);
  });
}

TEST_CASE("T03 moments that are far away are not in the past") {
  run_in(plain_options(1), []() -> task<> {
    timer alarm;
    auto waiting = spawn(wait_for, &alarm);
    alarm.expires_after(std::chrono::hours::max());
    co_await cove::this_task::yield();
    CHECK(alarm.is_pending());
    CHECK(alarm.expires_at(moment::max()));
    CHECK(alarm.expires_after(std::chrono::nanoseconds::max()));
    co_await cove::this_task::yield();
    CHECK_FALSE(waiting.done());
    CHECK(alarm.expires_at(moment::min()));
    const bool fired = co_await waiting;
    CHECK(fired);
  });
}

TEST_CASE("T05 cancelling ends the waits, and says whether it came in time") {
  run_in(plain_options(), []() -> task<> {
    timer alarm;
    alarm.expires_after(1h);
    auto first = spawn(wait_for, &alarm);
    auto second = spawn(wait_for, &alarm);
    co_await until_waiting(2);
    CHECK(alarm.cancel());
    CHECK_FALSE(alarm.cancel());
    const bool first_fired = co_await first;
    const bool second_fired = co_await second;
    CHECK_FALSE(first_fired);
    CHECK_FALSE(second_fired);
    CHECK(timers() == 0);
  });
}

TEST_CASE("T05 cancelling comes too late when the moment has passed, seen or not") {
  timer alarm;
  const moment when = cove::clock::now() + 200us;
  alarm.expires_at(when);
  while (cove::clock::now() < when) {
  }
  CHECK_FALSE(alarm.cancel());
  alarm.expires_at(when);
  CHECK_FALSE(alarm.expires_after(1h));
  CHECK(alarm.is_pending());
  CHECK(alarm.cancel());
}

TEST_CASE("T06 a timer that is waited for is moved, later, earlier, and into the past") {
  run_in(plain_options(), []() -> task<> {
    timer alarm;
    alarm.expires_after(2ms);
    auto waiting = spawn(wait_for, &alarm);
    CHECK(alarm.expires_after(1h));
    co_await cove::this_task::sleep_for(4ms);  // The old moment has passed.
    CHECK_FALSE(waiting.done());
    const moment earlier = cove::clock::now() + 1ms;
    CHECK(alarm.expires_at(earlier));
    bool fired = co_await waiting;
    CHECK(fired);
    CHECK(cove::clock::now() >= earlier);

    CHECK_FALSE(alarm.expires_after(1h));
    waiting = spawn(wait_for, &alarm);
    co_await until_waiting(1);
    CHECK(alarm.expires_after(-1ms));
    fired = co_await waiting;
    CHECK(fired);
    CHECK(timers() == 0);
  });
}

TEST_CASE("T06 moving a timer that has fired leaves who waited with the firing") {
  run_in(plain_options(1), []() -> task<> {
    timer alarm;
    const moment when = cove::clock::now() + 1ms;
    alarm.expires_at(when);
    auto waiting = spawn(wait_for, &alarm);
    co_await until_waiting(1);
    while (cove::clock::now() < when) {
    }
    CHECK_FALSE(alarm.expires_after(1h));
    const bool fired = co_await waiting;
    CHECK(fired);
    CHECK(alarm.is_pending());
  });
}

TEST_CASE("T05 T06 a cancellation is not lost between two moves") {
  run_in(plain_options(1), []() -> task<> {
    timer alarm;
    alarm.expires_after(2h);
    auto waiting = spawn(wait_for, &alarm);
    co_await until_waiting(1);
    // The waiter is on its way to look at the first move when the rest happens.
    CHECK(alarm.expires_after(1h));
    CHECK(alarm.cancel());
    CHECK_FALSE(alarm.expires_after(2h));
    const bool fired = co_await waiting;
    CHECK_FALSE(fired);
    CHECK(alarm.cancel());
  });
}

TEST_CASE("T07 a thread moves a timer to now, and who waits hears of it") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), [](runtime& in) {
      timer alarm;
      for (int i = 0; i < 50; ++i) {
        alarm.expires_after(1h);
        auto waiting = in.spawn(wait_for, &alarm);
        if (i % 2 == 0) CHECK(cove::test::thread_waits_for([&] { return in.stats().timers == 1; }));
        CHECK(alarm.expires_after(i % 3 * 100us));
        CHECK(in.wait(std::move(waiting)));
      }
    });
  }
}

TEST_CASE("T11 tasks of two runtimes wait for one timer") {
  run_in(plain_options(), [](runtime& here) {
    run_in(plain_options(), [&here](runtime& there) {
      timer alarm;
      for (int i = 0; i < 20; ++i) {
        alarm.expires_after(1h);
        auto one = here.spawn(wait_for, &alarm);
        auto other = there.spawn(wait_for, &alarm);
        const bool fires = i % 2 == 0;
        CHECK((fires ? alarm.expires_after(500us) : alarm.cancel()));
        CHECK(here.wait(std::move(one)) == fires);
        CHECK(there.wait(std::move(other)) == fires);
      }
    });
  });
}

TEST_CASE("a wait that is cancelled leaves the timer and the others as they are") {
  run_in(plain_options(), []() -> task<> {
    timer alarm;
    alarm.expires_after(1h);
    auto leaves = spawn(wait_for, &alarm);
    auto stays = spawn(wait_for, &alarm);
    co_await until_waiting(2);
    leaves.cancel();
    const std::string ended = co_await outcome_of(std::move(leaves));
    CHECK(ended == "canceled");
    CHECK(alarm.is_pending());
    alarm.expires_after(0ms);
    const bool fired = co_await stays;
    CHECK(fired);
  });
}

TEST_CASE("a limit around a wait ends it alone") {
  run_in(plain_options(), []() -> task<> {
    timer alarm;
    alarm.expires_after(1h);
    const std::string limited = co_await outcome_of(cove::with_timeout(alarm.wait(), 500us));
    CHECK(limited == "deadline");
    CHECK(alarm.is_pending());
    CHECK(timers() == 0);
    alarm.expires_after(500us);
    const bool fired = co_await cove::with_timeout(alarm.wait(), 1h);
    CHECK(fired);
  });
}

TEST_CASE("K18 a wait that ends exactly at its limit ends in one way") {
  run_in(plain_options(2), []() -> task<> {
    timer alarm;
    for (int i = 0; i < 100; ++i) {
      const moment when = cove::clock::now() + i % 10 * 10us;
      alarm.expires_at(when);
      const std::string ended = co_await outcome_of(cove::with_deadline(alarm.wait(), when));
      CHECK((ended == "done" || ended == "deadline"));
      CHECK(timers() == 0);
      const bool fired = co_await alarm.wait();
      CHECK(fired);
    }
  });
}

/// Waits, then takes the timer away: the waker may still be on its way out of it.
task<> wait_and_destroy(std::optional<timer>* which) {
  co_await (*which)->wait();
  which->reset();
}

TEST_CASE("a timer is destroyed as soon as its last waiter was woken") {
  run_in(plain_options(2), [](runtime& in) {
    for (int i = 0; i < 2000; ++i) {
      std::optional<timer> alarm(std::in_place);
      alarm->expires_after(i % 4 == 0 ? 20us : 1h);
      auto waiting = in.spawn(wait_and_destroy, &alarm);
      // Only one wakes it: the clock, or this thread.
      if (i % 4 != 0) {
        if (i % 4 == 1) alarm->cancel();
        if (i % 4 == 2) alarm->expires_after(0ms);
        if (i % 4 == 3) alarm->expires_at(cove::clock::now());
      }
      in.wait(std::move(waiting));
    }
  });
}

/// Waits again and again; ends when it is cancelled.
task<> keep_waiting(timer* which, std::atomic<int>* ended) {
  for (;;) {
    static_cast<void>(co_await which->wait());
    ++*ended;
    co_await cove::this_task::yield();
  }
}

/// Sets, moves and cancels at random.
task<> torment(timer* which, unsigned seed, int times) {
  std::minstd_rand random(seed + 1);
  for (int i = 0; i < times; ++i) {
    const std::uint64_t dice = random();
    if (dice % 8 == 0)
      which->cancel();
    else if (dice % 8 == 1)
      which->expires_after(1h);
    else
      which->expires_after(std::chrono::microseconds(static_cast<int>(dice / 8 % 60)));
    if (dice % 3 == 0) co_await cove::this_task::yield();
  }
}

TEST_CASE("T05 T06 waits, moves and requests meet at random, and nobody is forgotten") {
  for (const unsigned entry_without_p : {0U, 3U}) {
    cove::runtime_options options = plain_options(4);
    options.tuning.entry_without_p = entry_without_p;
    run_in(std::move(options), []() -> task<> {
      timer alarm;
      std::atomic<int> ended{0};
      for (unsigned round = 0; round < 10; ++round) {
        std::vector<join_handle<>> waiting;
        for (int i = 0; i < 8; ++i) waiting.push_back(spawn(keep_waiting, &alarm, &ended));
        std::vector<join_handle<>> moving;
        for (unsigned i = 0; i < 3; ++i)
          moving.push_back(spawn(torment, &alarm, 3 * round + i, 400));
        for (std::size_t i = 0; i < 4; ++i) {
          for (std::size_t j = 0; j < 20; ++j) co_await cove::this_task::yield();
          waiting[i].cancel();
        }
        for (auto& each : moving) co_await each;
        // Whoever is left is told of the last word.
        alarm.expires_after(1h);
        for (auto& each : waiting) each.cancel();
        for (auto& each : waiting) static_cast<void>(co_await each.as_result());
        alarm.cancel();
      }
      CHECK(ended > 0);
      CHECK(timers() == 0);
    });
  }
}

}  // namespace
