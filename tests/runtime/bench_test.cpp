#include "support/runtime_test.hpp"

#include "state.hpp"

#include <array>
#include <memory>
#include <vector>

// Processors that may not be used any more, as the process's share of the machine became smaller,
// and may be again.

namespace {

using cove::spawn;
using cove::task;
using cove::test::eventually;
using cove::test::plain_options;
using cove::test::run_in;
using cove::this_task::sleep_for;
using cove::this_task::yield;
using std::chrono_literals::operator""us;

cove::sched::scheduler& scheduler() { return cove::runtime::current()->state().scheduler; }

constexpr std::array some_numbers{1U, 3U, 2U, 4U, 1U};

/// Notes how many of its kind run at once.
task<> run_beside(std::atomic<int>* now, std::atomic<int>* most, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    const int beside = ++*now;
    for (int seen = *most; beside > seen && !most->compare_exchange_weak(seen, beside);) {
    }
    std::this_thread::yield();
    --*now;
    co_await yield();
  }
}

}  // namespace

TEST_CASE("M01 no more tasks run at once than processors may be used") {
  run_in(plain_options(4), []() -> task<> {
    for (const unsigned active : some_numbers) {
      scheduler().set_active(active);
      CHECK(cove::runtime::current()->stats().workers == active);
      // Those too many step down at their next task.
      for (int i = 0; i < 200; ++i) co_await yield();
      const auto settled = [] { return scheduler().settled(); };
      co_await eventually(settled);
      std::atomic<int> now{0};
      std::atomic<int> most{0};
      std::vector<cove::join_handle<void>> all;
      for (int i = 0; i < 16; ++i) all.push_back(spawn(run_beside, &now, &most, 50));
      for (auto& each : all) co_await each;
      CHECK(most <= static_cast<int>(active));
    }
    scheduler().set_active(0);
    CHECK(cove::runtime::current()->stats().workers == 1);
    scheduler().set_active(100);
    CHECK(cove::runtime::current()->stats().workers == 4);
  });
}

TEST_CASE("M01 M03 tasks and timers go on while processors come and go") {
  for (const bool sysmon : {false, true}) {
    auto options = plain_options(4);
    options.sysmon = sysmon;
    run_in(options, []() -> task<> {
      cove::sched::scheduler& of = scheduler();
      std::atomic<bool> over{false};
      std::thread changer([&of, &over] {
        for (unsigned i = 0; !over; ++i) {
          of.set_active(i * 7 % 5);
          std::this_thread::yield();
        }
      });
      const auto talk = [](cove::channel<int>* to, int count) -> task<> {
        for (int i = 0; i < count; ++i) {
          co_await to->send(i);
          if (i % 8 == 0) co_await yield();
          if (i % 32 == 0) co_await sleep_for(10us);
        }
      };
      const auto sum = [](cove::channel<int>* from, int count) -> task<long> {
        long total = 0;
        for (int i = 0; i < count; ++i) {
          const std::optional<int> got = co_await from->receive();
          total += got.value_or(0);
        }
        co_return total;
      };
      constexpr int count = 2000;
      std::vector<std::unique_ptr<cove::channel<int>>> channels;
      std::vector<cove::join_handle<void>> talkers;
      std::vector<cove::join_handle<long>> sums;
      for (int i = 0; i < 6; ++i) {
        channels.push_back(std::make_unique<cove::channel<int>>(2));
        talkers.push_back(spawn(talk, channels.back().get(), count));
        sums.push_back(spawn(sum, channels.back().get(), count));
      }
      for (auto& each : talkers) co_await each;
      for (auto& each : sums) {
        const long total = co_await each;
        CHECK(total == static_cast<long>(count) * (count - 1) / 2);
      }
      over = true;
      changer.join();
    });
  }
}
