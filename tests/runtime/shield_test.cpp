#include <cove/runtime/shield.hpp>

#include "support/runtime_test.hpp"

#include <stdexcept>
#include <vector>

namespace {

using cove::join_handle;
using cove::result;
using cove::semaphore;
using cove::shield;
using cove::task;
using cove::with_timeout;
using cove::test::code_of;
using cove::test::eventually;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::take;
using cove::this_task::stop_requested;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

/// Takes what it is given, out of reach; notes how its next await fares. Two gates: one to say that
/// it is inside, one to let it out.
struct gates {
  semaphore inside{0};
  semaphore go_on{0};
};
task<int> holds_out(gates* at, bool* saw_inside) {
  const auto protected_part = [](gates* doors, bool* saw) -> task<int> {
    doors->inside.release();
    co_await take(&doors->go_on);
    co_await cove::this_task::yield();
    *saw = stop_requested();
    co_return 7;
  };
  co_return co_await shield(protected_part(at, saw_inside));
}

task<> is_broken_off_after(gates* at, bool* saw_inside, int* got, bool* saw_after) {
  *got = co_await holds_out(at, saw_inside);
  *saw_after = stop_requested();
  co_await forever();
}

TEST_CASE("shield passes a value, a reference, nothing and a failure") {
  run_in(plain_options(1), []() -> task<> {
    int thing = 3;
    const auto value = [](int n) -> task<int> { co_return n; };
    const auto refer = [](int& which) -> task<int&> { co_return which; };
    const auto fails = []() -> task<> {
      co_await cove::this_task::yield();
      throw std::logic_error("expected");
    };
    const int got = co_await shield(value(4));
    CHECK(got == 4);
    int& same = co_await shield(refer(thing));
    CHECK(&same == &thing);
    co_await shield(cove::this_task::sleep_for(1ms));
    join_handle<int> handle = cove::spawn(value, 5);
    const int joined = co_await shield(handle);
    CHECK(joined == 5);
    bool caught = false;
    try {
      co_await shield(fails());
    } catch (const std::logic_error&) {
      caught = true;
    }
    CHECK(caught);
  });
}

TEST_CASE("a request that came before does not reach behind a shield, and is seen after it") {
  run_in(plain_options(1), []() -> task<> {
    const auto job = []() -> task<int> {
      int steps = 0;
      const std::error_code before = co_await code_of(forever());
      if (before == std::errc::operation_canceled && stop_requested()) ++steps;
      const auto inside = []() -> task<bool> {
        const bool seen = stop_requested();
        co_await cove::this_task::sleep_for(1ms);
        co_return seen;
      };
      const bool seen = co_await shield(inside());
      if (!seen && stop_requested()) ++steps;
      const std::error_code after = co_await code_of(forever());
      if (after == std::errc::operation_canceled) ++steps;
      co_return steps;
    };
    join_handle<int> handle = cove::spawn(job);
    co_await cove::this_task::yield();
    handle.cancel();
    const int steps = co_await handle;
    CHECK(steps == 3);
  });
}

TEST_CASE("a request during a shield leaves it alone, and is seen after it") {
  run_in(plain_options(), []() -> task<> {
    gates at;
    bool saw_inside = true, saw_after = false;
    int got = 0;
    join_handle<> handle = cove::spawn(is_broken_off_after, &at, &saw_inside, &got, &saw_after);
    co_await take(&at.inside);
    handle.cancel();
    for (int i = 0; i < 100; ++i) co_await cove::this_task::yield();
    CHECK_FALSE(handle.done());
    at.go_on.release();
    const result<void> end = co_await handle.as_result();
    CHECK(end.error() == std::errc::operation_canceled);
    CHECK(got == 7);
    CHECK_FALSE(saw_inside);
    CHECK(saw_after);
  });
}

TEST_CASE("a request after a shield is seen as ever") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> out{false};
    const auto job = [](std::atomic<bool>* left) -> task<> {
      co_await shield(cove::this_task::sleep_for(1ms));
      *left = true;
      co_await forever();
    };
    join_handle<> handle = cove::spawn(job, &out);
    co_await eventually(out);
    handle.cancel();
    const result<void> end = co_await handle.as_result();
    CHECK(end.error() == std::errc::operation_canceled);
  });
}

TEST_CASE("a limit inside a shield works") {
  run_in(plain_options(), []() -> task<> {
    const std::error_code code = co_await code_of(shield(with_timeout(forever(), 5ms)));
    CHECK(code == cove::errc::deadline_exceeded);
    co_await cove::this_task::sleep_for(1ms);
  });
}

TEST_CASE("a limit inside a shield works in a task that was asked to end") {
  run_in(plain_options(1), []() -> task<> {
    const auto job = []() -> task<std::error_code> {
      static_cast<void>(co_await code_of(forever()));
      co_return co_await code_of(shield(with_timeout(forever(), 5ms)));
    };
    join_handle<std::error_code> handle = cove::spawn(job);
    co_await cove::this_task::yield();
    handle.cancel();
    const std::error_code code = co_await handle;
    CHECK(code == cove::errc::deadline_exceeded);
  });
}

TEST_CASE("a shield outlasts a limit around it; the result wins, the next await is late") {
  run_in(plain_options(), []() -> task<> {
    std::error_code after;
    const auto job = [](std::error_code* later) -> task<int> {
      const auto limit = cove::this_task::deadline();
      CHECK(limit != cove::clock::time_point::max());
      const auto inside = [](cove::clock::time_point outer) -> task<int> {
        CHECK(cove::this_task::deadline() == cove::clock::time_point::max());
        while (cove::clock::now() <= outer) co_await cove::this_task::sleep_until(outer + 1ms);
        CHECK_FALSE(stop_requested());
        co_return 9;
      };
      const int got = co_await shield(inside(limit));
      CHECK(stop_requested());
      CHECK(cove::this_task::deadline() == limit);
      *later = co_await code_of(cove::this_task::sleep_for(1h));
      co_return got;
    };
    const int got = co_await with_timeout(job(&after), 2ms);
    CHECK(got == 9);
    CHECK(after == cove::errc::deadline_exceeded);
    CHECK_FALSE(stop_requested());
  });
}

TEST_CASE("shield passes as_result on without a throw") {
  run_in(plain_options(1), []() -> task<> {
    const auto job = []() -> task<int> {
      const result<void> before = co_await forever().as_result();
      const auto fails = []() -> task<int> {
        throw cove::error(cove::errc::closed, "expected");
        co_return 1;
      };
      const auto works = []() -> task<int> { co_return 2; };
      const result<int> bad = co_await shield(fails().as_result());
      const result<int> good = co_await shield(works().as_result());
      const result<void> late = co_await shield(with_timeout(forever().as_result(), 1ms));
      const bool all = before.error() == std::errc::operation_canceled &&
                       bad.error() == cove::errc::closed && good.value_or(0) == 2 &&
                       late.error() == cove::errc::deadline_exceeded;
      co_return all ? 1 : 0;
    };
    join_handle<int> handle = cove::spawn(job);
    co_await cove::this_task::yield();
    handle.cancel();
    const int all = co_await handle;
    CHECK(all == 1);
  });
}

TEST_CASE("tasks spawned into a group behind a shield are shielded, others are not") {
  run_in(plain_options(), []() -> task<> {
    semaphore inside(0), go_on(0);
    std::atomic<int> finished{0}, canceled{0};
    const auto part = [](semaphore* here, semaphore* door, std::atomic<int>* done) -> task<> {
      here->release();
      co_await take(door);
      co_await cove::this_task::yield();
      ++*done;
    };
    const auto sibling = [](semaphore* here, std::atomic<int>* ended) -> task<> {
      here->release();
      const std::error_code code = co_await code_of(forever());
      if (code == std::errc::operation_canceled) ++*ended;
    };
    const auto job = [&]() -> task<> {
      auto outer = [&](cove::scope& all) -> task<> {
        all.spawn(sibling, &inside, &canceled);
        auto inner = [&](cove::scope& parts) -> task<> {
          for (int i = 0; i < 3; ++i) parts.spawn(part, &inside, &go_on, &finished);
          // Into the group outside: it stands before the shield.
          all.spawn(sibling, &inside, &canceled);
          co_return;
        };
        co_await shield(cove::with_scope(inner));
      };
      co_await cove::with_scope(outer);
    };
    join_handle<> handle = cove::spawn(job);
    for (int i = 0; i < 5; ++i) co_await take(&inside);
    handle.cancel();
    const auto siblings_ended = [&canceled] { return canceled == 2; };
    co_await eventually(siblings_ended);
    CHECK(finished == 0);
    go_on.release(3);
    // Everything delivered its result, so the request may have found nobody to break off.
    static_cast<void>(co_await handle.as_result());
    CHECK(finished == 3);
  });
}

TEST_CASE("a shield within a shield uncovers only the outer one") {
  run_in(plain_options(1), []() -> task<> {
    const auto job = []() -> task<int> {
      static_cast<void>(co_await code_of(forever()));
      const auto outer = []() -> task<int> {
        co_await shield(cove::this_task::sleep_for(1ms));
        const bool between = stop_requested();
        co_await cove::this_task::sleep_for(1ms);
        co_return between ? 0 : 1;
      };
      const int got = co_await shield(outer());
      co_return stop_requested() ? got : 0;
    };
    join_handle<int> handle = cove::spawn(job);
    co_await cove::this_task::yield();
    handle.cancel();
    const int got = co_await handle;
    CHECK(got == 1);
  });
}

/// Goes in and out of a shield until it is asked to end; what it takes inside is never lost.
task<> in_and_out(semaphore* slot, std::atomic<int>* entered, std::atomic<int>* left) {
  const auto part = [](semaphore* from, std::atomic<int>* in, std::atomic<int>* out) -> task<> {
    ++*in;
    auto permit = co_await from->acquire();
    co_await cove::this_task::yield();
    ++*out;
  };
  for (;;) {
    co_await shield(part(slot, entered, left));
    co_await cove::this_task::yield();
  }
}

TEST_CASE("what is cancelled at any moment leaves its shield in order, and ends behind it") {
  run_in(plain_options(4), []() -> task<> {
    semaphore slot(2);
    std::atomic<int> entered{0}, left{0};
    for (int round = 0; round < 50; ++round) {
      std::vector<join_handle<>> tasks;
      for (int i = 0; i < 8; ++i) tasks.push_back(cove::spawn(in_and_out, &slot, &entered, &left));
      for (int i = 0; i < round % 7; ++i) co_await cove::this_task::yield();
      for (auto& each : tasks) each.cancel();
      int canceled = 0;
      for (auto& each : tasks) {
        const result<void> end = co_await each.as_result();
        if (end.error() == std::errc::operation_canceled) ++canceled;
      }
      CHECK(canceled == 8);
    }
    CHECK(entered == left);
    CHECK(slot.available() == 2);
  });
}

}  // namespace
