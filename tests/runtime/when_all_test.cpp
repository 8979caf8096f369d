#include <cove/runtime/when_all.hpp>

#include "support/runtime_test.hpp"

#include <stdexcept>
#include <vector>

namespace {

using cove::join_handle;
using cove::result;
using cove::semaphore;
using cove::settled;
using cove::task;
using cove::when_all;
using cove::when_all_settled;
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
task<std::string> text(std::string what) { co_return what; }
task<> nothing() { co_return; }
task<> fails(const char* why) {
  co_await cove::this_task::yield();
  throw std::runtime_error(why);
}
task<int> fails_at_once(const char* why) {
  throw std::runtime_error(why);
  co_return 0;
}

/// Says that it is there, waits to be cancelled, and counts that it was.
task<> lingers(semaphore* here, std::atomic<int>* canceled) {
  here->release();
  try {
    co_await forever();
  } catch (const cove::canceled&) {
    ++*canceled;
    throw;
  }
}
/// Fails when somebody is there.
task<> fails_after(semaphore* here) {
  co_await take(here);
  throw std::runtime_error("first");
}

TEST_CASE("when_all gives all results in the order of its operands") {
  run_in(plain_options(), []() -> task<> {
    int thing = 5;
    const auto refer = [](int& which) -> task<int&> { co_return which; };
    auto [n, s, none, slept, same] = co_await when_all(
        number(1), text("two"), nothing(), cove::this_task::sleep_for(1ms), refer(thing));
    CHECK(n == 1);
    CHECK(s == "two");
    static_assert(std::is_same_v<decltype(none), std::monostate>);
    static_assert(std::is_same_v<decltype(slept), std::monostate>);
    CHECK(&same == &thing);
    auto [joined] = co_await when_all(cove::spawn(number, 6));
    CHECK(joined == 6);
    const std::tuple<> empty = co_await when_all();
    static_cast<void>(empty);
  });
}

TEST_CASE("when_all takes a vector of tasks") {
  run_in(plain_options(4), []() -> task<> {
    std::vector<task<int>> tasks;
    for (int i = 0; i < 200; ++i) tasks.push_back(number(i));
    const std::vector<int> all = co_await when_all(std::move(tasks));
    CHECK(all.size() == 200);
    for (int i = 0; i < 200; ++i) CHECK(all[static_cast<std::size_t>(i)] == i);
    std::vector<task<>> silent;
    silent.push_back(nothing());
    co_await when_all(std::move(silent));
    std::vector<task<bool>> none;
    const std::vector<bool> no_values = co_await when_all(std::move(none));
    CHECK(no_values.empty());
  });
}

TEST_CASE("K19 the first failure cancels the others, which have ended when it is thrown") {
  run_in(plain_options(), []() -> task<> {
    semaphore here(0);
    std::atomic<int> canceled{0};
    const std::string why =
        co_await outcome_of(when_all(lingers(&here, &canceled), fails_after(&here)));
    CHECK(why == "first");
    CHECK(canceled == 1);
    CHECK_FALSE(cove::this_task::stop_requested());
  });
}

TEST_CASE("K20 an operand that is cancelled before it began never runs") {
  run_in(plain_options(1), []() -> task<> {
    bool ran = false;
    const auto notes = [](bool* flag) -> task<> {
      *flag = true;
      co_return;
    };
    const auto job = [&]() -> task<std::string> {
      static_cast<void>(co_await forever().as_result());  // Asked to end from here on.
      co_return co_await outcome_of(when_all(notes(&ran), notes(&ran)));
    };
    join_handle<std::string> handle = cove::spawn(job);
    co_await cove::this_task::yield();
    handle.cancel();
    const std::string why = co_await handle;
    CHECK(why == "canceled");
    CHECK_FALSE(ran);
  });
}

TEST_CASE("when_all passes a request and a deadline from outside on, and waits for all") {
  run_in(plain_options(), []() -> task<> {
    semaphore here(0);
    std::atomic<int> canceled{0};
    const auto job = [&]() -> task<> {
      co_await when_all(lingers(&here, &canceled), lingers(&here, &canceled));
    };
    join_handle<> handle = cove::spawn(job);
    co_await take(&here);
    co_await take(&here);
    handle.cancel();
    const std::string why = co_await outcome_of(std::move(handle));
    CHECK(why == "canceled");
    CHECK(canceled == 2);
    const std::string late = co_await outcome_of(with_timeout(when_all(forever(), forever()), 2ms));
    CHECK(late == "deadline");
  });
}

TEST_CASE("results that are reached regardless of a request win") {
  run_in(plain_options(), []() -> task<> {
    const auto stubborn = [](int n) -> task<int> {
      static_cast<void>(co_await forever().as_result());
      co_return n;
    };
    auto both = co_await with_timeout(when_all(stubborn(1), stubborn(2)), 2ms);
    CHECK(both == std::tuple(1, 2));
  });
}

TEST_CASE("when_all_settled tells how each ended, and a failure cancels nobody") {
  run_in(plain_options(), []() -> task<> {
    semaphore go_on(0);
    const auto fails_first = [](semaphore* door) -> task<int> {
      door->release();
      throw std::runtime_error("alone");
      co_return 0;
    };
    const auto follows = [](semaphore* door) -> task<std::string> {
      co_await take(door);
      for (int i = 0; i < 20; ++i) co_await cove::this_task::yield();
      co_return "unharmed";
    };
    auto [bad, good, none] =
        co_await when_all_settled(fails_first(&go_on), follows(&go_on), nothing());
    CHECK_FALSE(bad);
    CHECK_FALSE(bad.was_canceled());
    CHECK_THROWS_WITH_AS(bad.value(), "alone", std::runtime_error);
    CHECK(good.value() == "unharmed");
    CHECK_FALSE(good.exception());
    none.value();
  });
}

TEST_CASE("K17 when_all_settled under a limit gives what was ready in time") {
  run_in(plain_options(), []() -> task<> {
    std::vector<task<int>> tasks;
    const auto slow = []() -> task<int> {
      co_await forever();
      co_return 0;
    };
    const auto partial = []() -> task<int> {
      const result<void> broken = co_await forever().as_result();
      CHECK(broken.error() == cove::errc::deadline_exceeded);
      throw cove::canceled("transfer", 5);
      co_return 0;
    };
    tasks.push_back(number(1));
    tasks.push_back(slow());
    tasks.push_back(partial());
    const std::vector<settled<int>> all =
        co_await with_timeout(when_all_settled(std::move(tasks)), 5ms);
    CHECK(all.size() == 3);
    CHECK(all[0].value() == 1);
    CHECK_FALSE(all[1]);
    CHECK(all[2].was_canceled());
    std::size_t moved = 0;
    try {
      static_cast<void>(all[2].value());
    } catch (const cove::canceled& e) {
      moved = e.transferred();
    }
    CHECK(moved == 5);
  });
}

TEST_CASE("K20 when_all_settled in a task that was asked to end runs nothing and says so") {
  run_in(plain_options(1), []() -> task<> {
    const auto job = []() -> task<bool> {
      static_cast<void>(co_await forever().as_result());
      auto [first, second] = co_await when_all_settled(number(1), nothing());
      co_return first.was_canceled() && second.was_canceled();
    };
    join_handle<bool> handle = cove::spawn(job);
    co_await cove::this_task::yield();
    handle.cancel();
    const bool both = co_await handle;
    CHECK(both);
  });
}

TEST_CASE("K19 many groups that fail, are cancelled or end leave nothing behind") {
  run_in(plain_options(4), []() -> task<> {
    const auto job = [](int round) -> task<int> {
      const auto step = [](int n) -> task<int> {
        for (int i = 0; i < n; ++i) co_await cove::this_task::yield();
        if (n == 3) throw std::runtime_error("three");
        co_return n;
      };
      auto [a, b, c] = co_await when_all(step(round % 5), step(round % 3), number(round));
      co_return a + b + c;
    };
    int done = 0, failed = 0, canceled = 0;
    for (int round = 0; round < 300; ++round) {
      join_handle<int> handle = cove::spawn(job, round);
      for (int i = 0; i < round % 4; ++i) co_await cove::this_task::yield();
      if (round % 2 == 0) handle.cancel();
      const std::string how = co_await outcome_of(std::move(handle));
      if (how == "done") ++done;
      if (how == "three") ++failed;
      if (how == "canceled") ++canceled;
    }
    CHECK(done + failed + canceled == 300);
    CHECK(done > 0);
    CHECK(failed > 0);
  });
}

TEST_CASE("a failure that comes at once is thrown, whoever else is about to begin") {
  run_in(plain_options(1), []() -> task<> {
    for (int i = 0; i < 20; ++i) {
      const std::string why =
          co_await outcome_of(when_all(fails_at_once("at once"), number(2), nothing()));
      CHECK(why == "at once");
      const std::string other = co_await outcome_of(when_all(number(2), fails("later")));
      CHECK(other == "later");
    }
  });
}

}  // namespace
