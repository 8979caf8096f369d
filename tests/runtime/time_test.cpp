#include <cove/runtime/time.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/runtime_test.hpp"

namespace {

using cove::join_handle;
using cove::result;
using cove::runtime;
using cove::task;
using cove::with_deadline;
using cove::with_timeout;
using cove::test::code_of;
using cove::test::eventually;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::thread_waits_for;
using cove::this_task::sleep_for;
using cove::this_task::sleep_until;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

using moment = cove::clock::time_point;

task<int> number(int n) {
  co_await cove::this_task::yield();
  co_return n;
}
/// Ends after `time`, in steps that each can be broken off.
task<int> sleeps(std::chrono::nanoseconds time) {
  co_await sleep_for(time);
  co_return 1;
}
task<> sleeps_until_canceled() { co_await forever(); }

std::uint64_t timers() { return runtime::current()->stats().timers; }

// ----- sleeping -----

TEST_CASE("T01 a sleep never ends before its time") {
  run_in(plain_options(), []() -> task<> {
    constexpr std::array times{0ms, 1ms, 2ms, 5ms, 20ms};
    for (const auto time : times) {
      const moment start = cove::clock::now();
      co_await sleep_for(time);
      CHECK(cove::clock::now() - start >= time);
      const moment until = cove::clock::now() + time;
      co_await sleep_until(until);
      CHECK(cove::clock::now() >= until);
    }
  });
}

/// Slot and number of sleeping tasks, in the order in which they woke.
using ends = std::vector<std::pair<int, int>>;

task<> sleep_in_slot(moment until, int slot, int which, ends* out) {
  co_await sleep_until(until);
  out->emplace_back(slot, which);
}

/// Whether all were asleep before the first was due, which is `ahead` from now.
task<bool> sleep_in_slots(const std::vector<int>& slots, std::chrono::milliseconds ahead,
                          ends* order) {
  const moment base = cove::clock::now() + ahead;
  std::vector<join_handle<>> jobs;
  for (int which = 0; const int slot : slots) {
    jobs.push_back(cove::spawn(sleep_in_slot, base + slot * 1ms, slot, which++, order));
    co_await cove::this_task::yield();  // Each begins before the next is spawned.
  }
  const bool in_time = cove::clock::now() < base;
  for (auto& each : jobs) co_await each;
  co_return in_time;
}

TEST_CASE(
    "T01 sleeps end in the order of their deadlines, equal ones in the order of their start") {
  // One worker: with two, tasks that wake in order may still run at once.
  run_in(plain_options(1), []() -> task<> {
    std::vector<int> slots(300);
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = static_cast<int>(i % 10);
    std::mt19937 random(7);
    std::shuffle(slots.begin(), slots.end(), random);
    ends order;
    bool in_time = false;
    // A busy machine takes longer to bring them all to sleep.
    for (std::chrono::milliseconds ahead = 50ms; !in_time && ahead < 10s; ahead *= 2) {
      order.clear();
      in_time = co_await sleep_in_slots(slots, ahead, &order);
    }
    REQUIRE(in_time);
    CHECK(order.size() == slots.size());
    CHECK(std::is_sorted(order.begin(), order.end()));
  });
}

TEST_CASE("T02 a sleep of zero or less ends promptly, but not at once") {
  run_in(plain_options(1), []() -> task<> {
    constexpr std::array times{0ms, -1ms, -1000'000ms};
    for (const auto time : times) {
      std::atomic<bool> other{false};
      const auto job = [](std::atomic<bool>& flag) -> task<> {
        flag = true;
        co_return;
      };
      join_handle<> beside = cove::spawn(job, std::ref(other));
      CHECK_FALSE(other);
      const moment start = cove::clock::now();
      co_await sleep_for(time);
      CHECK(other);
      CHECK(cove::clock::now() - start < 5s);
      co_await beside;
    }
    co_await sleep_for(std::chrono::nanoseconds::min());
    co_await sleep_until(moment::min());
    co_await sleep_until(moment());
    CHECK(timers() == 0);
  });
}

TEST_CASE("T03 huge durations do not overflow into the past") {
  run_in(plain_options(), []() -> task<> {
    using centuries = std::chrono::duration<std::int64_t, std::ratio<3'155'760'000>>;
    std::atomic<int> ended{0};
    const auto job = [](auto op, std::atomic<int>& count) -> task<> {
      static_cast<void>(co_await std::move(op).as_result());
      ++count;
    };
    const auto sleeping = [](auto time) -> task<> { co_await sleep_for(time); };
    std::vector<join_handle<>> jobs;
    const auto start = [&](auto time) {
      jobs.push_back(cove::spawn(job, sleeping(time), std::ref(ended)));
    };
    start(std::chrono::nanoseconds::max());
    start(std::chrono::nanoseconds::max() - 1ms);
    start(std::chrono::milliseconds::max());
    start(std::chrono::seconds::max());
    start(std::chrono::hours::max());
    start(std::chrono::milliseconds(std::int64_t{1} << 31));
    start(std::chrono::milliseconds((std::int64_t{1} << 32) + 1));
    start(centuries(10));
    start(centuries(1'000'000'000));
    start(std::chrono::duration<double>(1e300));
    start(std::chrono::duration<long double, std::nano>(1e30L));
    for (int i = 0; i < 20; ++i) co_await sleep_for(1ms);
    CHECK(ended == 0);
    for (auto& each : jobs) each.cancel();
    for (auto& each : jobs) co_await each;
    CHECK(ended == static_cast<int>(jobs.size()));
    CHECK(timers() == 0);
  });
}

TEST_CASE("T05 a sleep that is cancelled when it is due ends in one way") {
  static constexpr int rounds = 300;
  run_in(plain_options(), []() -> task<> {
    int slept = 0, canceled = 0;
    for (int i = 0; i < rounds; ++i) {
      const auto time = std::chrono::microseconds(i % 100);
      join_handle<int> sleeper = cove::spawn(sleeps, time);
      const moment until = cove::clock::now() + time;
      co_await eventually([&] { return cove::clock::now() >= until; });
      sleeper.cancel();
      const result<int> end = co_await sleeper.as_result();
      (end ? slept : canceled) += 1;
    }
    CHECK(slept + canceled == rounds);
    CHECK(timers() == 0);
  });
}

TEST_CASE("T07 a new earlier timer interrupts a longer wait, from a task") {
  run_in(plain_options(), []() -> task<> {
    join_handle<int> later = cove::spawn(sleeps, 1h);
    for (int i = 0; i < 20; ++i) {
      // Let the workers go to sleep until the later one.
      co_await sleep_for(2ms);
      const moment start = cove::clock::now();
      const int got = co_await cove::spawn(sleeps, 1ms);
      CHECK(got == 1);
      CHECK(cove::clock::now() - start < 5s);
    }
    later.cancel();
  });
}

TEST_CASE("T07 a new earlier timer interrupts a longer wait, from any thread") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), [](runtime& in) {
      join_handle<int> later = in.spawn(sleeps, 1h);
      for (int i = 0; i < 20; ++i) {
        const moment start = cove::clock::now();
        CHECK(in.wait(in.spawn(sleeps, std::chrono::milliseconds(20 - i))) == 1);
        CHECK(cove::clock::now() - start < 5s);
      }
      later.cancel();
    });
  }
}

TEST_CASE("T07 timers that were set on two processors fire whoever wakes up for them") {
  run_in(plain_options(), [](runtime& in) {
    // Both run at once, so each on its processor; the second goes to sleep later but for longer.
    std::atomic<int> at_once{0};
    const auto job = [&at_once](std::chrono::milliseconds before,
                                std::chrono::milliseconds time) -> task<> {
      ++at_once;
      CHECK(thread_waits_for([&] { return at_once == 2; }));
      const moment until = cove::clock::now() + before;
      CHECK(thread_waits_for([&] { return cove::clock::now() >= until; }));
      co_await sleep_for(time);
    };
    const moment start = cove::clock::now();
    join_handle<> shorter = in.spawn(job, 0ms, 40ms);
    join_handle<> longer = in.spawn(job, 20ms, 10s);
    in.wait(std::move(shorter));
    CHECK(cove::clock::now() - start < 8s);
    longer.cancel();
    CHECK(in.stop());  // The tasks use what stands here.
  });
}

/// Sleeps often, on whichever worker it is by then.
task<> sleep_and_wander(unsigned seed, std::atomic<int>* wrong) {
  const std::uint64_t self = cove::this_task::id();
  std::minstd_rand random(seed);
  for (int i = 0; i < 20; ++i) {
    const auto start = cove::clock::now();
    const auto time = std::chrono::microseconds(random() % 200);
    co_await cove::this_task::sleep_for(time);
    if (cove::this_task::id() != self || cove::clock::now() - start < time) ++*wrong;
    co_await cove::this_task::yield();
  }
}

TEST_CASE(
    "T11 T13 a timer wakes its own task wherever that has moved, by a clock that never steps") {
  run_in(plain_options(4), []() -> task<> {
    std::atomic<int> wrong{0};
    std::vector<cove::join_handle<>> all;
    for (unsigned i = 1; i <= 64; ++i) all.push_back(cove::spawn(sleep_and_wander, i, &wrong));
    for (auto& each : all) co_await each;
    CHECK(wrong == 0);
    CHECK(cove::clock::is_steady);
    // Between two looks at the system's monotonic clock.
    const auto before = std::chrono::steady_clock::now().time_since_epoch();
    const auto now = cove::clock::now().time_since_epoch();
    const auto after = std::chrono::steady_clock::now().time_since_epoch();
    CHECK(before <= now);
    CHECK(now <= after);
  });
}

TEST_CASE("T14 a worker that is never idle lets timers fire, its own and those of others") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), [workers](runtime& in) {
      std::atomic<bool> over{false};
      const auto busy = [&over]() -> task<> {
        while (!over) co_await cove::this_task::yield();
      };
      std::vector<join_handle<>> busy_ones;
      for (unsigned i = 0; i < 2 * workers; ++i) busy_ones.push_back(in.spawn(busy));
      for (int i = 0; i < 10; ++i) CHECK(in.wait(in.spawn(sleeps, 1ms)) == 1);
      over = true;
      for (auto& each : busy_ones) in.wait(std::move(each));
    });
  }
}

TEST_CASE("M17 many timers are set and taken back") {
  run_in(plain_options(), []() -> task<> {
    constexpr int count = 20'000;
    std::vector<join_handle<int>> jobs;
    for (int i = 0; i < count; ++i) jobs.push_back(cove::spawn(sleeps, 1h + i * 1ms));
    co_await eventually([] { return timers() == count; });
    for (auto& each : jobs) each.cancel();
    int ended = 0;
    for (auto& each : jobs) {
      const result<int> end = co_await each.as_result();
      ended += end.error() == std::errc::operation_canceled ? 1 : 0;
    }
    CHECK(ended == count);
    CHECK(timers() == 0);
  });
}

// ----- limits -----

TEST_CASE("with_timeout gives the result of what is in time") {
  run_in(plain_options(), []() -> task<> {
    const int task_in_time = co_await with_timeout(number(7), 10s);
    CHECK(task_in_time == 7);
    co_await with_timeout(sleep_for(1ms), 10s);
    join_handle<int> handle = cove::spawn(number, 8);
    const int joined = co_await with_timeout(handle, 10s);
    CHECK(joined == 8);
    const int moved = co_await with_timeout(cove::spawn(number, 9), 10s);
    CHECK(moved == 9);
    const auto make = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
    const std::unique_ptr<int> pointer = co_await with_timeout(make(), 10s);
    CHECK(*pointer == 3);
    int thing = 0;
    const auto refer = [](int& it) -> task<int&> { co_return it; };
    int& same = co_await with_timeout(refer(thing), 10s);
    CHECK(&same == &thing);
    CHECK(timers() == 0);
  });
}

TEST_CASE("with_timeout ends what takes longer, and waits for it") {
  run_in(plain_options(), []() -> task<> {
    bool cleaned_up = false;
    const auto slow = [](bool& clean) -> task<int> {
      try {
        co_await forever();
      } catch (const cove::error& e) {
        CHECK(e.code() == cove::errc::deadline_exceeded);
      }
      clean = true;
      co_return 5;
    };
    const moment start = cove::clock::now();
    // It makes a result of it all the same, and a result wins.
    const int got = co_await with_timeout(slow(cleaned_up), 10ms);
    CHECK(got == 5);
    CHECK(cleaned_up);
    CHECK(cove::clock::now() - start >= 10ms);

    std::error_code code = co_await code_of(with_timeout(sleeps_until_canceled(), 5ms));
    CHECK(code == cove::errc::deadline_exceeded);
    CHECK(code == std::errc::timed_out);
    code = co_await code_of(with_timeout(sleep_for(1h), 5ms));
    CHECK(code == cove::errc::deadline_exceeded);
    CHECK(timers() == 0);
    // The limit is gone: the next await is free of it.
    co_await sleep_for(1ms);
  });
}

TEST_CASE("a limit that has passed already ends the first wait, and only a wait") {
  run_in(plain_options(), []() -> task<> {
    constexpr std::array limits{0ms, -5ms};
    for (const auto limit : limits) {
      const std::error_code code = co_await code_of(with_timeout(sleep_for(1h), limit));
      CHECK(code == cove::errc::deadline_exceeded);
      const auto computing = []() -> task<int> { co_return 3; };
      const int got = co_await with_timeout(computing(), limit);
      CHECK(got == 3);
    }
    CHECK(timers() == 0);
  });
}

TEST_CASE("a limit of forever is none") {
  run_in(plain_options(), []() -> task<> {
    const int got = co_await with_timeout(number(1), std::chrono::hours::max());
    CHECK(got == 1);
    CHECK(timers() == 0);
  });
}

TEST_CASE("with_timeout passes as_result through without a throw") {
  run_in(plain_options(), []() -> task<> {
    const result<int> good = co_await with_timeout(number(7).as_result(), 10s);
    CHECK(good.value_or(0) == 7);
    const result<int> late = co_await with_timeout(sleeps(1h).as_result(), 5ms);
    CHECK(late.error() == cove::errc::deadline_exceeded);
    const result<int> outside = co_await with_timeout(sleeps(1h), 5ms).as_result();
    CHECK(outside.error() == cove::errc::deadline_exceeded);
    join_handle<int> handle = cove::spawn(sleeps, 1h);
    const result<int> waiting = co_await with_timeout(handle.as_result(), 5ms);
    CHECK(waiting.error() == cove::errc::deadline_exceeded);
    handle.cancel();
  });
}

TEST_CASE("with_timeout passes other failures through") {
  run_in(plain_options(), []() -> task<> {
    const auto bad = []() -> task<> {
      co_await sleep_for(1ms);
      throw std::logic_error("expected");
    };
    bool caught = false;
    try {
      co_await with_timeout(bad(), 10s);
    } catch (const std::logic_error&) {
      caught = true;
    }
    CHECK(caught);
    CHECK(timers() == 0);
  });
}

TEST_CASE("of nested limits the earliest counts") {
  run_in(plain_options(), []() -> task<> {
    const auto inner_first = []() -> task<int> {
      const std::error_code code = co_await code_of(with_timeout(sleep_for(1h), 5ms));
      CHECK(code == cove::errc::deadline_exceeded);
      // Outside of the inner limit the outer one has not passed.
      co_await sleep_for(1ms);
      co_return 1;
    };
    const int got = co_await with_timeout(inner_first(), 10s);
    CHECK(got == 1);

    int inner_caught = 0, outer_caught = 0;
    const auto outer_first = [](int& caught) -> task<> {
      const std::error_code code = co_await code_of(with_timeout(sleep_for(1h), 10s));
      if (code == cove::errc::deadline_exceeded) ++caught;
      // The outer limit stays passed.
      co_await sleep_for(1h);
    };
    const moment start = cove::clock::now();
    try {
      co_await with_timeout(outer_first(inner_caught), 5ms);
    } catch (const cove::error& e) {
      if (e.code() == cove::errc::deadline_exceeded) ++outer_caught;
    }
    CHECK(inner_caught == 1);
    CHECK(outer_caught == 1);
    CHECK(cove::clock::now() - start < 5s);
    CHECK(timers() == 0);
  });
}

TEST_CASE("a request from outside goes before a limit inside it") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> begun{false}, go{false};
    const auto job = [](std::atomic<bool>& started, std::atomic<bool>& begin) -> task<int> {
      const auto inside = [&]() -> task<> {
        started = true;
        // Keeps its worker: when it waits, the limit has passed and the request is there.
        CHECK(thread_waits_for([&] { return begin.load(); }));
        co_await forever();
      };
      const std::error_code code = co_await code_of(with_timeout(inside(), 0ms));
      co_return code == std::errc::operation_canceled ? 1 : 0;
    };
    join_handle<int> handle = cove::spawn(job, std::ref(begun), std::ref(go));
    co_await eventually(begun);
    handle.cancel();
    go = true;
    const int got = co_await handle;
    CHECK(got == 1);
  });
}

TEST_CASE("with_deadline is with_timeout for a moment") {
  run_in(plain_options(), []() -> task<> {
    const int in_time = co_await with_deadline(number(7), cove::clock::now() + 10s);
    CHECK(in_time == 7);
    const int never = co_await with_deadline(number(8), moment::max());
    CHECK(never == 8);
    std::error_code code = co_await code_of(with_deadline(sleep_for(1h), cove::clock::now() + 5ms));
    CHECK(code == cove::errc::deadline_exceeded);
    code = co_await code_of(with_deadline(sleep_for(1h), moment::min()));
    CHECK(code == cove::errc::deadline_exceeded);
    const result<int> late =
        co_await with_deadline(sleeps(1h).as_result(), cove::clock::now() + 1ms);
    CHECK(late.error() == cove::errc::deadline_exceeded);
    join_handle<int> handle = cove::spawn(sleeps, 1h);
    code = co_await code_of(with_deadline(handle, cove::clock::now() + 1ms));
    CHECK(code == cove::errc::deadline_exceeded);
    handle.cancel();
    static_cast<void>(co_await handle.as_result());
    CHECK(timers() == 0);
  });
}

TEST_CASE("a task knows the earliest deadline of where it stands") {
  using cove::this_task::deadline;
  CHECK(deadline() == moment::max());
  run_in(plain_options(), []() -> task<> {
    CHECK(deadline() == moment::max());
    const moment near = cove::clock::now() + 1h;
    const auto inner = []() -> task<moment> { co_return deadline(); };
    const auto outer = [](moment expected, auto ask) -> task<> {
      CHECK(deadline() == expected);
      const moment of_later = co_await with_deadline(ask(), expected + 1h);
      CHECK(of_later == expected);
      const moment of_earlier = co_await with_deadline(ask(), expected - 1s);
      CHECK(of_earlier == expected - 1s);
      CHECK(deadline() == expected);
      auto body = [ask](cove::scope& parts) -> task<moment> {
        join_handle<moment> part = parts.spawn(ask);
        co_return co_await part;
      };
      const moment of_part = co_await cove::with_scope(body);
      CHECK(of_part == expected);
      // What the runtime supervises is outside of every limit.
      const moment of_stranger = co_await cove::spawn(ask);
      CHECK(of_stranger == moment::max());
    };
    co_await with_deadline(outer(near, inner), near);
    CHECK(deadline() == moment::max());
  });
}

TEST_CASE("K18 an operation that ends at its deadline has one result") {
  static constexpr int rounds = 500;
  run_in(plain_options(), []() -> task<> {
    int in_time = 0, late = 0;
    for (int i = 0; i < rounds; ++i) {
      const auto time = std::chrono::microseconds(100);
      const result<int> end = co_await with_timeout(sleeps(time), time).as_result();
      if (end)
        ++in_time;
      else if (end.error() == cove::errc::deadline_exceeded)
        ++late;
    }
    CHECK(in_time + late == rounds);
    CHECK(timers() == 0);
  });
}

TEST_CASE("K18 a task that ends at the deadline of its joiner has one result") {
  static constexpr int rounds = 500;
  run_in(plain_options(), []() -> task<> {
    int in_time = 0, late = 0;
    for (int i = 0; i < rounds; ++i) {
      const auto time = std::chrono::microseconds(50 + i % 50);
      join_handle<int> handle = cove::spawn(sleeps, time);
      const result<int> first = co_await with_timeout(handle, time).as_result();
      if (first) {
        ++in_time;
        continue;
      }
      if (first.error() == cove::errc::deadline_exceeded) ++late;
      const int then = co_await handle;
      CHECK(then == 1);
    }
    CHECK(in_time + late == rounds);
    CHECK(timers() == 0);
  });
}

TEST_CASE("a limit that fires while it is being left does no harm") {
  static constexpr int rounds = 3000;
  run_in(plain_options(), []() -> task<> {
    for (int i = 0; i < rounds; ++i) {
      // In time or not, as the clock will have it.
      const moment until = cove::clock::now() + std::chrono::microseconds(i % 40);
      const auto spins = [](moment end) -> task<> {
        while (cove::clock::now() < end) {
        }
        co_return;
      };
      co_await with_timeout(spins(until), std::chrono::microseconds(20));
      // What was asked inside the limit is not asked outside of it.
      co_await cove::this_task::yield();
    }
    CHECK(timers() == 0);
  });
}

}  // namespace
