#include <cove/runtime.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "support/runtime_test.hpp"

// The scheduler from the outside. Where a task "keeps its worker" it spins in user code, which is
// what a computation looks like to the others.

namespace {

using cove::join_handle;
using cove::runtime;
using cove::runtime_options;
using cove::spawn;
using cove::task;
using cove::test::eventually;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::thread_waits_for;
using cove::this_task::sleep_for;
using cove::this_task::yield;
using std::chrono_literals::operator""ms;

// Long enough for a machine that does other things too, short enough to try often.
constexpr std::chrono::milliseconds soon(5000);

task<> nothing() { co_return; }
task<> count_up(std::atomic<int>& count) {
  ++count;
  co_return;
}
/// Keeps its worker until `count` reaches `goal`; notes if that was in vain.
task<> keep_until(std::atomic<int>& count, int goal, std::atomic<int>& in_vain) {
  if (!thread_waits_for([&] { return count >= goal; }, soon)) ++in_vain;
  co_return;
}
task<> arrive_and_keep_until(std::atomic<int>& count, int goal, std::atomic<int>& in_vain) {
  ++count;
  if (!thread_waits_for([&] { return count >= goal; }, soon)) ++in_vain;
  co_return;
}

// ----- M01: everything runs once -----

struct run_counts {
  explicit run_counts(std::size_t n) : of(n) {}
  bool all_are_one() const {
    for (const auto& each : of)
      if (each != 1) return false;
    return true;
  }
  std::vector<std::atomic<int>> of;
};

task<> run_subtree(run_counts& runs, std::size_t first, std::size_t size) {
  ++runs.of[first];
  if (size == 1) co_return;
  const std::size_t left = (size - 1) / 2;
  join_handle<> one, two;
  if (left > 0) one = spawn(run_subtree, std::ref(runs), first + 1, left);
  two = spawn(run_subtree, std::ref(runs), first + 1 + left, size - 1 - left);
  if (left > 0) co_await one;
  co_await two;
}

TEST_CASE("M01 tasks that are spawned from tasks all run once") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    run_counts runs(5000);
    run_in(plain_options(workers),
           [&runs]() -> task<> { co_await run_subtree(runs, 0, runs.of.size()); });
    CHECK(runs.all_are_one());
  }
}

TEST_CASE("M01 tasks that are spawned from outside all run once, idle or under load") {
  static constexpr std::size_t threads_count = 3;
  static constexpr std::size_t each_count = 700;
  for (const bool load : {false, true}) {
    run_counts runs(threads_count * each_count);
    run_in(plain_options(), [&](runtime& in) {
      std::atomic<bool> over{false};
      const auto busy = [&over]() -> task<> {
        while (!over) co_await yield();
      };
      std::vector<join_handle<>> ballast;
      for (int i = 0; load && i < 6; ++i) ballast.push_back(in.spawn(busy));
      const auto job = [&runs](std::size_t which) -> task<> {
        ++runs.of[which];
        co_return;
      };
      std::vector<std::thread> threads;
      for (std::size_t t = 0; t < threads_count; ++t)
        threads.emplace_back([&, t] {
          std::vector<join_handle<>> handles;
          for (std::size_t i = 0; i < each_count; ++i) {
            handles.push_back(in.spawn(job, t * each_count + i));
            if (i % 16 != 0) continue;
            // Every few, wait: the runtime goes idle in between.
            for (auto& each : handles) in.wait(std::move(each));
            handles.clear();
          }
          for (auto& each : handles) in.wait(std::move(each));
        });
      for (std::thread& each : threads) each.join();
      over = true;
      for (auto& each : ballast) in.wait(std::move(each));
    });
    CHECK(runs.all_are_one());
  }
}

TEST_CASE("M01 queues that overflow lose nothing and run nothing twice") {
  for (const unsigned slots : {1U, 2U, 4U}) {
    for (const unsigned workers : {1U, 2U, 4U}) {
      auto options = plain_options(workers);
      options.tuning.ring_slots = slots;
      run_counts runs(1000);
      run_in(options, [&runs]() -> task<> {
        const auto job = [](run_counts& all, std::size_t which) -> task<> {
          co_await yield();
          ++all.of[which];
        };
        std::vector<join_handle<>> jobs;
        for (std::size_t i = 0; i < runs.of.size(); ++i)
          jobs.push_back(spawn(job, std::ref(runs), i));
        for (auto& each : jobs) co_await each;
      });
      CHECK(runs.all_are_one());
    }
  }
}

TEST_CASE("M01 tasks get on although entries into the runtime find no processor") {
  for (const unsigned one_in : {1U, 2U, 3U}) {
    for (const unsigned workers : {1U, 2U}) {
      auto options = plain_options(workers);
      options.tuning.entry_without_p = one_in;
      run_counts runs(200);
      run_in(options, [&runs]() -> task<> {
        const auto job = [](run_counts& all, std::size_t which) -> task<> {
          co_await sleep_for(std::chrono::microseconds(which % 7 * 10));
          co_await yield();
          co_await cove::with_timeout(nothing(), 1000ms);
          ++all.of[which];
        };
        auto body = [&](cove::scope& parts) -> task<> {
          for (std::size_t i = 0; i + 1 < runs.of.size(); ++i) parts.spawn(job, std::ref(runs), i);
          co_await spawn(job, std::ref(runs), runs.of.size() - 1);
        };
        co_await cove::with_scope(body);
      });
      CHECK(runs.all_are_one());
    }
  }
}

// ----- M02, M03: wakes -----

TEST_CASE("M02 a wake-up from outside is not lost on a worker that goes to sleep") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), [](runtime& in) {
      for (int i = 0; i < 500; ++i) in.block_on(nothing);
    });
  }
}

TEST_CASE("M03 a destructor wakes a task and a thread's last destructor spawns one") {
  run_in(plain_options(), [](runtime& in) {
    struct cancels_at_end {
      cancels_at_end(join_handle<>* which) noexcept : handle(which) {}
      cancels_at_end(cancels_at_end&& other) noexcept
          : handle(std::exchange(other.handle, nullptr)) {}
      ~cancels_at_end() {
        if (handle != nullptr) handle->cancel();
      }
      join_handle<>* handle;
    };
    for (int i = 0; i < 50; ++i) {
      join_handle<> sleeper = in.spawn(forever);
      // Cancelled by the end of an argument, that of a local, or that of a result nobody takes.
      const auto by_argument = [](cancels_at_end) -> task<> { co_await yield(); };
      const auto by_local = [](join_handle<>* which) -> task<> {
        const cancels_at_end local(which);
        co_await yield();
      };
      const auto by_result = [](join_handle<>* which) -> task<cancels_at_end> {
        co_await yield();
        co_return cancels_at_end(which);
      };
      if (i % 3 == 0) in.wait(in.spawn(by_argument, cancels_at_end(&sleeper)));
      if (i % 3 == 1) in.wait(in.spawn(by_local, &sleeper));
      if (i % 3 == 2) in.wait(in.spawn(by_result, &sleeper));
      CHECK_THROWS_AS(in.wait(std::move(sleeper)), cove::canceled);
    }

    struct spawns_at_end {
      runtime* in = nullptr;
      std::atomic<int>* count = nullptr;
      ~spawns_at_end() {
        if (in != nullptr) in->spawn(count_up, std::ref(*count));
      }
    };
    std::atomic<int> ran{0};
    std::thread ending([&] {
      thread_local spawns_at_end last;
      last.in = &in;
      last.count = &ran;
    });
    ending.join();
    CHECK(thread_waits_for([&] { return ran == 1; }));
  });
}

// ----- M11, M12: nobody is starved -----

TEST_CASE("M11 timers are served although the queues never empty") {
  for (const unsigned workers : {1U, 2U}) {
    run_in(plain_options(workers), [](runtime& in) {
      std::atomic<bool> over{false};
      std::atomic<int> ticks{0};
      const auto busy = [&over]() -> task<> {
        while (!over) co_await yield();
      };
      const auto ticking = [&ticks]() -> task<> {
        for (int i = 0; i < 20; ++i) {
          co_await sleep_for(1ms);
          ++ticks;
        }
      };
      for (int i = 0; i < 8; ++i) in.spawn(busy);
      for (int i = 0; i < 4; ++i) in.spawn(ticking);
      CHECK(thread_waits_for([&] { return ticks == 80; }));
      over = true;
      CHECK(in.stop());  // The tasks use what stands here.
    });
  }
}

TEST_CASE("M11 work from outside is served although the queues never empty") {
  run_in(plain_options(1), [](runtime& in) {
    std::atomic<bool> over{false};
    const auto busy = [&over]() -> task<> {
      while (!over) co_await yield();
    };
    for (int i = 0; i < 8; ++i) in.spawn(busy);
    for (int i = 0; i < 50; ++i) in.block_on(nothing);
    over = true;
    CHECK(in.stop());  // The tasks use what stands here.
  });
}

/// Spawns its own successor, which runs next, and ends.
task<> relay(std::atomic<bool>& over, std::atomic<int>& length) {
  ++length;
  if (!over) spawn(relay, std::ref(over), std::ref(length));
  co_return;
}

TEST_CASE("M12 a chain in the next slot lets others run") {
  run_in(plain_options(1), []() -> task<> {
    static constexpr int turns = 1000;
    std::atomic<bool> over{false};
    std::atomic<int> length{0};
    join_handle<> chain = spawn(relay, std::ref(over), std::ref(length));
    for (int i = 0; i < turns && length < 100 * turns; ++i) co_await yield();
    const int links = length;
    over = true;
    CHECK(links < 10 * turns);
    // The chain got on, too.
    CHECK(links >= turns);
    co_await eventually(
        [&] { return chain.done() && cove::runtime::current()->stats().tasks_live == 1; });
  });
}

TEST_CASE("M12 a pair of tasks that wake each other lets others run") {
  run_in(plain_options(1), []() -> task<> {
    static constexpr int turns = 1000;
    std::atomic<bool> over{false};
    std::atomic<int> rallies{0};
    const auto player = [](std::atomic<bool>& end, std::atomic<int>& count) -> task<> {
      // Each end of a joined task wakes its joiner into the next slot.
      while (!end) {
        co_await spawn(nothing);
        ++count;
      }
    };
    join_handle<> game = spawn(player, std::ref(over), std::ref(rallies));
    for (int i = 0; i < turns && rallies < 100 * turns; ++i) co_await yield();
    const int played = rallies;
    over = true;
    CHECK(played < 10 * turns);
    CHECK(played > turns / 10);
    co_await game;
  });
}

// ----- M13: no work waits beside an idle worker -----

TEST_CASE("M13 what a task spawns runs while the task keeps its worker") {
  for (int round = 0; round < 50; ++round) {
    run_in(plain_options(), []() -> task<> {
      std::atomic<int> ran{0}, in_vain{0};
      join_handle<> other = spawn(count_up, std::ref(ran));
      co_await keep_until(ran, 1, in_vain);
      CHECK(in_vain == 0);
      co_await other;
    });
  }
}

TEST_CASE("M12 a task that spawns and joins without end lets others run") {
  for (const unsigned workers : {1U, 2U}) {
    run_in(plain_options(workers), []() -> task<> {
      int turns = 0;
      const auto beside = [](int* count) -> task<> {
        for (;;) {
          ++*count;
          co_await yield();
        }
      };
      auto other = spawn(beside, &turns);
      for (int i = 0; i < 1000; ++i) {
        auto child = spawn(nothing);
        co_await child;
      }
      other.cancel();
      static_cast<void>(co_await other.as_result());
      CHECK(turns > 10);
    });
  }
}

TEST_CASE("M09 joining a task that was spawned just now waits for it if it has to wait") {
  run_in(plain_options(1), []() -> task<> {
    auto asleep = spawn(forever);
    bool timed_out = false;
    try {
      co_await cove::with_timeout(asleep, 1ms);
    } catch (const std::system_error& e) {
      timed_out = e.code() == std::errc::timed_out;
    }
    CHECK(timed_out);
    asleep.cancel();
    auto gives_way = spawn([]() -> task<int> {
      co_await yield();
      co_return 7;
    });
    const int value = co_await gives_way;
    CHECK(value == 7);
    auto ended = co_await asleep.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
  });
}

TEST_CASE("M13 as many tasks as there are workers run at once, spawned from outside") {
  for (const int workers : {2, 3, 4}) {
    std::atomic<int> in_vain{0};
    for (int round = 0; round < 20 && in_vain == 0; ++round) {
      run_in(plain_options(static_cast<unsigned>(workers)), [&](runtime& in) {
        // Half of the rounds start with sleeping workers, half with none.
        if (round % 2 == 0)
          for (int i = 0; i < 5; ++i) in.block_on(nothing);
        std::atomic<int> arrived{0};
        std::vector<join_handle<>> jobs;
        for (int i = 0; i < workers; ++i)
          jobs.push_back(
              in.spawn(arrive_and_keep_until, std::ref(arrived), workers, std::ref(in_vain)));
        for (auto& each : jobs) in.wait(std::move(each));
      });
    }
    CHECK(in_vain == 0);
  }
}

TEST_CASE("M13 as many tasks as there are workers run at once, spawned by one of them") {
  for (const int workers : {2, 3, 4}) {
    std::atomic<int> in_vain{0};
    for (int round = 0; round < 20 && in_vain == 0; ++round) {
      run_in(plain_options(static_cast<unsigned>(workers)), [&]() -> task<> {
        std::atomic<int> arrived{0};
        std::vector<join_handle<>> jobs;
        for (int i = 1; i < workers; ++i)
          jobs.push_back(
              spawn(arrive_and_keep_until, std::ref(arrived), workers, std::ref(in_vain)));
        co_await arrive_and_keep_until(arrived, workers, in_vain);
        for (auto& each : jobs) co_await each;
      });
    }
    CHECK(in_vain == 0);
  }
}

TEST_CASE("M13 tasks whose timers are due together run at once") {
  for (const int workers : {2, 3, 4}) {
    std::atomic<int> in_vain{0};
    for (int round = 0; round < 10 && in_vain == 0; ++round) {
      run_in(plain_options(static_cast<unsigned>(workers)), [&](runtime& in) {
        std::atomic<int> arrived{0};
        const auto job = [&](cove::clock::time_point until) -> task<> {
          co_await cove::this_task::sleep_until(until);
          co_await arrive_and_keep_until(arrived, workers, in_vain);
        };
        const auto until = cove::clock::now() + 3ms;
        std::vector<join_handle<>> jobs;
        for (int i = 0; i < workers; ++i) jobs.push_back(in.spawn(job, until));
        for (auto& each : jobs) in.wait(std::move(each));
      });
    }
    CHECK(in_vain == 0);
  }
}

TEST_CASE("M13 tasks that a cancellation wakes together run at once") {
  for (const int workers : {2, 3}) {
    std::atomic<int> in_vain{0};
    for (int round = 0; round < 10 && in_vain == 0; ++round) {
      run_in(plain_options(static_cast<unsigned>(workers)), [&](runtime& in) {
        std::atomic<int> asleep{0}, arrived{0};
        const auto job = [&]() -> task<> {
          ++asleep;
          static_cast<void>(co_await forever().as_result());
          co_await arrive_and_keep_until(arrived, workers, in_vain);
        };
        auto body = [&](cove::scope& parts) -> task<> {
          for (int i = 0; i < workers; ++i) parts.spawn(job);
          co_await eventually([&] { return asleep == workers; });
          for (int i = 0; i < 20; ++i) co_await yield();
          parts.cancel();
        };
        in.block_on([&]() -> task<> { co_await cove::with_scope(body); });
      });
    }
    CHECK(in_vain == 0);
  }
}

/// All tasks but one wake together and keep their workers, computing or giving way, until the last
/// one has woken, too.
int timers_behind_busy_workers(const runtime_options& options, bool gives_way, int rounds) {
  std::atomic<int> in_vain{0};
  const int tasks = static_cast<int>(options.workers);
  for (int round = 0; round < rounds && in_vain == 0; ++round) {
    run_in(options, [&](runtime& in) {
      // All run at once before they sleep, so each timer is set on another processor.
      std::atomic<int> started{0}, woken{0};
      const auto base = cove::clock::now() + 3ms;
      const auto last = [&]() -> task<> {
        co_await arrive_and_keep_until(started, tasks, in_vain);
        co_await cove::this_task::sleep_until(base + 6ms);
        ++woken;
      };
      const auto busy = [&]() -> task<> {
        co_await arrive_and_keep_until(started, tasks, in_vain);
        co_await cove::this_task::sleep_until(base);
        const auto limit = std::chrono::steady_clock::now() + soon;
        while (woken == 0 && std::chrono::steady_clock::now() < limit)
          if (gives_way) co_await yield();
        if (woken == 0) ++in_vain;
      };
      std::vector<join_handle<>> jobs;
      for (int i = 1; i < tasks; ++i) jobs.push_back(in.spawn(busy));
      jobs.push_back(in.spawn(last));
      for (auto& each : jobs) in.wait(std::move(each));
    });
  }
  return in_vain;
}

TEST_CASE("M13 T14 an idle worker serves the timers of all while the others compute") {
  for (const unsigned workers : {2U, 3U, 4U}) {
    CHECK(timers_behind_busy_workers(plain_options(workers), false, 20) == 0);
    auto with_sysmon = plain_options(workers);
    with_sysmon.sysmon = true;
    CHECK(timers_behind_busy_workers(with_sysmon, false, 20) == 0);
  }
}

TEST_CASE("M13 T14 timers of all are served by workers that are never idle") {
  for (const unsigned workers : {2U, 3U, 4U})
    CHECK(timers_behind_busy_workers(plain_options(workers), true, 20) == 0);
}

TEST_CASE("M13 T14 the first long task after many short ones does not keep the timers") {
  auto options = plain_options();
  options.sysmon = true;
  options.spin = true;
  std::atomic<int> in_vain{0};
  run_in(options, [&](runtime& in) {
    in.block_on([&]() -> task<> {
      // Short visits to user code, so the runtime takes it for a rule.
      for (int i = 0; i < 100; ++i) co_await sleep_for(std::chrono::microseconds(100));
      std::atomic<int> fired{0};
      const auto other = [](std::atomic<int>& count) -> task<> {
        co_await sleep_for(5ms);
        ++count;
      };
      join_handle<> beside = spawn(other, std::ref(fired));
      co_await sleep_for(2ms);
      co_await keep_until(fired, 1, in_vain);
      co_await beside;
    });
  });
  CHECK(in_vain == 0);
}

}  // namespace
