#include <cove/runtime/race.hpp>

#include "support/runtime_test.hpp"

#include <stdexcept>
#include <vector>

namespace {

using cove::join_handle;
using cove::race;
using cove::semaphore;
using cove::task;
using cove::with_timeout;
using cove::test::forever;
using cove::test::outcome_of;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::take;
using std::chrono_literals::operator""ms;

task<int> number(int n) {
  co_await cove::this_task::yield();
  co_return n;
}
/// Says that it is there, waits to be cancelled, cleans up in its own time, and counts that.
task<> loses(semaphore* here, std::atomic<int>* canceled) {
  here->release();
  for (int i = 0; i < 20; ++i) static_cast<void>(co_await forever().as_result());
  ++*canceled;
  throw cove::canceled("loser");
}
/// Ends when `count` others are there.
task<int> wins(semaphore* here, std::size_t count, int n) {
  auto all = co_await here->acquire(count);
  static_cast<void>(all.forget());
  co_return n;
}
task<> fails(semaphore* after, const char* why, semaphore* next) {
  co_await take(after);
  next->release();
  throw std::runtime_error(why);
}

TEST_CASE("K19 the losers of a race are cancelled and have ended when it ends") {
  run_in(plain_options(), []() -> task<> {
    for (int round = 0; round < 50; ++round) {
      semaphore here(0);
      std::atomic<int> canceled{0};
      auto ended =
          co_await race(loses(&here, &canceled), wins(&here, 2, 7), loses(&here, &canceled));
      CHECK(canceled == 2);
      CHECK(ended.index == 1);
      CHECK(std::get<1>(ended.results).value() == 7);
      CHECK(std::get<0>(ended.results).was_canceled());
      CHECK(std::get<2>(ended.results).was_canceled());
      CHECK_FALSE(cove::this_task::stop_requested());
    }
    // The race's own request is not seen outside of it.
    co_await cove::this_task::sleep_for(1ms);
  });
}

TEST_CASE("operations of the library race, too") {
  run_in(plain_options(), []() -> task<> {
    semaphore slots(1);
    auto ended = co_await race(forever(), slots.acquire(), cove::this_task::sleep_for(10ms * 1000));
    CHECK(ended.index == 1);
    CHECK(std::get<1>(ended.results).value().count() == 1);
    CHECK(cove::runtime::current()->stats().timers == 0);
  });
}

TEST_CASE("K17 a loser that has nothing yet leaves everything as it was") {
  run_in(plain_options(), []() -> task<> {
    semaphore slots(1);
    auto held = co_await slots.acquire();
    auto ended = co_await race(slots.acquire(), cove::this_task::sleep_for(1ms));
    CHECK(ended.index == 1);
    CHECK(std::get<0>(ended.results).was_canceled());
    held.release();
    CHECK(slots.available() == 1);
  });
}

TEST_CASE("a race of what a select takes makes no task, and a failure does not win it") {
  run_in(plain_options(), []() -> task<> {
    cove::channel<int> closed(0), open(0);
    closed.close();
    const auto finished = [] { return cove::runtime::current()->stats().tasks_spawned; };
    const auto before = finished();
    auto ended = co_await race(closed.send(1), open.receive(), cove::this_task::sleep_for(1ms));
    CHECK(ended.index == 2);
    CHECK_THROWS_AS(std::get<0>(ended.results).value(), cove::error);
    CHECK(std::get<1>(ended.results).was_canceled());
    auto [sender, receiver] = cove::oneshot<int>();
    {
      auto gone = std::move(sender);
    }
    const auto all_fail = co_await cove::test::code_of(race(closed.send(1), receiver.receive()));
    CHECK(all_fail == cove::errc::closed);
    const auto late =
        co_await cove::test::code_of(with_timeout(race(open.receive(), open.send(1)), 1ms));
    CHECK(late == cove::errc::deadline_exceeded);
    CHECK(finished() == before);
  });
}

TEST_CASE("K17 what a loser reached all the same is in the results") {
  run_in(plain_options(), []() -> task<> {
    semaphore here(0);
    const auto saves = [](semaphore* told) -> task<std::string> {
      told->release();
      static_cast<void>(co_await forever().as_result());
      co_return "half of it";
    };
    auto ended = co_await race(saves(&here), wins(&here, 1, 2));
    CHECK(ended.index == 1);
    CHECK(std::get<0>(ended.results).value() == "half of it");
    CHECK(std::get<1>(ended.results).value() == 2);
  });
}

TEST_CASE("who fails does not win, and a failure stays in the results") {
  run_in(plain_options(), []() -> task<> {
    semaphore go(1), next(0);
    auto ended = co_await race(fails(&go, "early", &next), wins(&next, 1, 3));
    CHECK(ended.index == 1);
    CHECK_THROWS_WITH_AS(std::get<0>(ended.results).value(), "early", std::runtime_error);
  });
}

TEST_CASE("if all fail the first failure is thrown") {
  run_in(plain_options(1), []() -> task<> {
    semaphore first(1), second(0), third(0);
    const std::string why = co_await outcome_of(
        race(fails(&second, "second", &third), fails(&first, "first", &second)));
    CHECK(why == "first");
    // A stray canceled, which nobody asked for, is a failure like any other.
    const auto stray = []() -> task<> {
      throw cove::canceled("stray");
      co_return;
    };
    const std::string stray_one = co_await outcome_of(race(stray()));
    CHECK(stray_one == "canceled");
  });
}

TEST_CASE("a race that is cancelled from outside cancels all, waits, and throws canceled") {
  run_in(plain_options(), []() -> task<> {
    semaphore here(0);
    std::atomic<int> canceled{0};
    const auto job = [&]() -> task<> {
      static_cast<void>(co_await race(loses(&here, &canceled), loses(&here, &canceled)));
    };
    join_handle<> handle = cove::spawn(job);
    co_await take(&here);
    co_await take(&here);
    handle.cancel();
    const std::string why = co_await outcome_of(std::move(handle));
    CHECK(why == "canceled");
    CHECK(canceled == 2);
    const std::string late = co_await outcome_of(with_timeout(race(forever(), forever()), 2ms));
    CHECK(late == "deadline");
  });
}

TEST_CASE("a request from outside goes before failures, and a winner before the request") {
  run_in(plain_options(), []() -> task<> {
    const auto fails_late = []() -> task<> {
      static_cast<void>(co_await forever().as_result());
      throw std::runtime_error("late");
    };
    const std::string why = co_await outcome_of(with_timeout(race(fails_late(), forever()), 2ms));
    CHECK(why == "deadline");
    const auto wins_late = []() -> task<int> {
      static_cast<void>(co_await forever().as_result());
      co_return 4;
    };
    auto ended = co_await with_timeout(race(forever(), wins_late()), 2ms);
    CHECK(ended.index == 1);
    CHECK(std::get<1>(ended.results).value() == 4);
  });
}

TEST_CASE("K20 a race in a task that was asked to end begins nothing") {
  run_in(plain_options(1), []() -> task<> {
    bool ran = false;
    const auto notes = [](bool* flag) -> task<> {
      *flag = true;
      co_return;
    };
    const auto job = [&]() -> task<std::string> {
      static_cast<void>(co_await forever().as_result());
      co_return co_await outcome_of(race(notes(&ran), notes(&ran)));
    };
    join_handle<std::string> handle = cove::spawn(job);
    co_await cove::this_task::yield();
    handle.cancel();
    const std::string why = co_await handle;
    CHECK(why == "canceled");
    CHECK_FALSE(ran);
  });
}

TEST_CASE("a race of a vector has one winner; one of nobody is refused") {
  run_in(plain_options(4), []() -> task<> {
    for (int round = 0; round < 100; ++round) {
      std::vector<task<int>> tasks;
      for (int i = 0; i < 8; ++i) tasks.push_back(number(i));
      const auto ended = co_await race(std::move(tasks));
      CHECK(ended.results.size() == 8);
      CHECK(ended.results[ended.index].value() == static_cast<int>(ended.index));
      for (const auto& each : ended.results) CHECK((each.has_value() || each.was_canceled()));
    }
    std::vector<task<>> nobody;
    const std::string why = co_await outcome_of(race(std::move(nobody)));
    CHECK(why.find("race of no tasks") == 0);
  });
}

}  // namespace
