#include "support/channel_pairs.hpp"

#include "state.hpp"

#include <array>
#include <vector>

// Processors that may not be used any more, as the process's share of the machine became smaller,
// and may be again.

namespace {

using cove::spawn;
using cove::task;
using cove::test::eventually;
using cove::test::plain_options;
using cove::test::run_in;
using cove::this_task::yield;

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
      cove::test::channel_pairs load;
      load.pairs = 6;
      load.count = 2000;
      co_await cove::test::run_pairs(load);
      over = true;
      changer.join();
    });
  }
}
