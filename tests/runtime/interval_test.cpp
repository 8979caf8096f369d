#include <cove/runtime/interval.hpp>

#include "support/runtime_test.hpp"

namespace {

using cove::interval;
using cove::missed_tick;
using cove::task;
using cove::test::outcome_of;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""us;

using moment = cove::clock::time_point;

TEST_CASE("T09 the first tick comes at once, and each further one a period later") {
  run_in(plain_options(1), []() -> task<> {
    const moment before = cove::clock::now();
    interval every(1ms);
    CHECK(every.period() == 1ms);
    CHECK(every.missed() == missed_tick::burst);
    const moment first = co_await every.tick();
    CHECK(first >= before);
    CHECK(first <= cove::clock::now());
    for (int i = 1; i <= 5; ++i) {
      const moment due = co_await every.tick();
      CHECK(due == first + i * 1ms);  // The schedule, not the moment at which it woke.
      CHECK(cove::clock::now() >= due);
    }
  });
}

TEST_CASE("T09 an interval begins where it is told to") {
  run_in(plain_options(1), []() -> task<> {
    const moment start = cove::clock::now() + 2ms;
    interval every(start, 1h);
    CHECK(every.next() == start);
    const moment first = co_await every.tick();
    CHECK(first == start);
    CHECK(cove::clock::now() >= start);
    CHECK(every.next() == start + 1h);
  });
}

TEST_CASE("T09 a period that is not longer than zero is refused") {
  CHECK_THROWS_WITH_AS(interval(0ms), doctest::Contains("0 ns"), cove::error);
  CHECK_THROWS_WITH_AS(interval(-5ns, missed_tick::skip), doctest::Contains("-5 ns"), cove::error);
  CHECK(interval(1ns).period() == 1ns);
}

/// What the schedule is after a stall of three periods and a half.
task<std::vector<moment>> after_stall(moment start, missed_tick missed) {
  interval every(start - 350ms, 100ms, missed);
  std::vector<moment> due;
  for (int i = 0; i < 5; ++i) {
    due.push_back(every.next());
    if (every.next() > cove::clock::now()) break;
    static_cast<void>(co_await every.tick());
  }
  co_return due;
}

TEST_CASE("T09 after a stall burst makes up for every tick") {
  run_in(plain_options(1), []() -> task<> {
    const moment start = cove::clock::now();
    const std::vector<moment> due = co_await after_stall(start, missed_tick::burst);
    CHECK(due.size() == 5);
    for (std::size_t i = 0; i < due.size(); ++i)
      CHECK(due[i] == start - 350ms + static_cast<int>(i) * 100ms);
  });
}

TEST_CASE("T09 after a stall skip leaves out what was missed and keeps the schedule") {
  run_in(plain_options(1), []() -> task<> {
    const moment start = cove::clock::now();
    const std::vector<moment> due = co_await after_stall(start, missed_tick::skip);
    CHECK(due.size() == 2);
    const auto gap = due.back() - due.front();
    CHECK(gap % 100ms == 0ns);
    CHECK(gap >= 400ms);
    CHECK(due.back() > start);
  });
}

TEST_CASE("T09 after a stall delay begins a new schedule") {
  run_in(plain_options(1), []() -> task<> {
    const moment start = cove::clock::now();
    const std::vector<moment> due = co_await after_stall(start, missed_tick::delay);
    CHECK(due.size() == 2);
    CHECK(due.back() >= start + 100ms);
    CHECK(due.back() <= cove::clock::now() + 100ms);
  });
}

TEST_CASE("T09 what is late by less than a timer's own lateness does not move the schedule") {
  run_in(plain_options(1), []() -> task<> {
    const moment start = cove::clock::now();
    interval every(start, 1h, missed_tick::delay);
    static_cast<void>(co_await every.tick());
    // 5 ms at most; a machine that stalls this long in between proves nothing.
    if (cove::clock::now() - start < 5ms) CHECK(every.next() == start + 1h);
  });
}

TEST_CASE("T03 T09 a schedule beyond the end of time never comes, one before its beginning has") {
  run_in(plain_options(1), []() -> task<> {
    interval once(std::chrono::hours::max());
    static_cast<void>(co_await once.tick());
    CHECK(once.next() == moment::max());
    interval old(moment::min(), 1h, missed_tick::skip);
    static_cast<void>(co_await old.tick());
    CHECK(old.next() > cove::clock::now());
    CHECK(old.next() <= cove::clock::now() + 1h);
  });
}

TEST_CASE("T09 a tick that is cancelled is not lost") {
  run_in(plain_options(1), []() -> task<> {
    const moment start = cove::clock::now() + 1ms;
    interval every(start, 1h);
    const std::string ended = co_await outcome_of(cove::with_timeout(every.tick(), 100us));
    // The clock may have reached the tick before the limit was looked at; then it was given.
    CHECK((ended == "deadline" ? every.next() == start : every.next() == start + 1h));
    every.reset(start);
    const moment due = co_await every.tick();
    CHECK(due == start);
  });
}

TEST_CASE("T09 a task that was asked to end takes no tick") {
  run_in(plain_options(1), []() -> task<> {
    interval every(1h);
    const moment first = every.next();
    const auto ticks = [](interval* which) -> task<> { static_cast<void>(co_await which->tick()); };
    auto asked = cove::spawn(ticks, &every);
    asked.cancel();
    const std::string ended = co_await outcome_of(std::move(asked));
    CHECK(ended == "canceled");
    const moment due = co_await every.tick();
    CHECK(due == first);
  });
}

TEST_CASE("T09 reset begins a new schedule a period from now") {
  run_in(plain_options(1), []() -> task<> {
    interval every(1h);
    static_cast<void>(co_await every.tick());
    const moment before = cove::clock::now();
    every.reset();
    CHECK(every.next() >= before + 1h);
    CHECK(every.next() <= cove::clock::now() + 1h);
  });
}

}  // namespace
