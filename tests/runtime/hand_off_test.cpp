#include "support/channel_pairs.hpp"
#include "support/obstacle.hpp"

#include <array>
#include <vector>

// Threads that block in user code lose their processor, and are heard when they come back.

namespace {

using cove::runtime_options;
using cove::spawn;
using cove::task;
using cove::test::eventually;
using cove::test::obstacle;
using cove::test::run_in;
using cove::test::until_held;
using cove::this_task::sleep_for;
using std::chrono_literals::operator""ms;

constexpr std::array no_and_yes{false, true};

runtime_options watched(unsigned workers) {
  runtime_options options;
  options.workers = workers;
  return options;
}

task<bool> meet(obstacle* what) { co_return what->hold_up(); }
task<bool> meet_in_scope(obstacle* what) {
  const cove::blocking_scope blocks;
  co_return what->hold_up();
}
task<bool> meet_for_long(obstacle* what) {
  const cove::blocking_scope outer;
  const cove::blocking_scope blocks(cove::blocking_scope::for_long);
  co_return what->hold_up();
}
task<> let_go(obstacle* what) {
  what->let_go();
  co_return;
}

/// As many tasks as there are workers run into it; one more, which nobody could run unless a
/// processor was handed on, lets them go.
task<> hold_up_all(unsigned workers, task<bool> (*meets)(obstacle*)) {
  obstacle what;
  std::vector<cove::join_handle<bool>> blocked;
  for (unsigned i = 0; i < workers; ++i) blocked.push_back(spawn(meets, &what));
  co_await until_held(&what, workers);
  co_await spawn(let_go, &what);
  for (auto& each : blocked) {
    const bool went_on = co_await each;
    CHECK(went_on);
  }
}

/// User code for about as long as it takes to have the processor taken.
void compute() {
  for (int i = 0; i < 8; ++i) std::this_thread::yield();
}

}  // namespace

TEST_CASE("M14 a thread that blocks unannounced loses its processor to what waits behind it") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    run_in(watched(workers), [workers]() -> task<> {
      co_await hold_up_all(workers, meet);
      CHECK(cove::runtime::current()->stats().hand_offs >= 1);
      const auto none_lost = [] { return cove::runtime::current()->stats().threads_lost == 0; };
      co_await eventually(none_lost);
    });
  }
}

TEST_CASE("M14 timers and sleeps of others go on while every thread blocks") {
  run_in(watched(2), []() -> task<> {
    obstacle what;
    std::array<cove::join_handle<bool>, 2> blocked{spawn(meet, &what), spawn(meet, &what)};
    for (int i = 0; i < 20; ++i) co_await sleep_for(1ms);
    co_await until_held(&what, 2);
    for (int i = 0; i < 20; ++i) co_await sleep_for(1ms);
    what.let_go();
    for (auto& each : blocked) {
      const bool let_go = co_await each;
      CHECK(let_go);
    }
  });
}

TEST_CASE("M14 an announced section hands its processor over, nested ones as well") {
  for (const unsigned workers : {1U, 2U, 8U})
    for (const auto section : {meet_in_scope, meet_for_long})
      run_in(watched(workers), [workers, section] { return hold_up_all(workers, section); });
}

TEST_CASE("M14 a section that is known to be long needs nobody who watches") {
  run_in(cove::test::plain_options(1), []() -> task<> {
    co_await hold_up_all(1, meet_for_long);
    CHECK(cove::runtime::current()->stats().hand_offs >= 1);
  });
}

TEST_CASE("M14 what a thread spawns and wakes after it lost its processor runs") {
  run_in(watched(1), []() -> task<> {
    obstacle what;
    cove::event woken;
    const auto job = [](obstacle* obstacle, cove::event* event) -> task<int> {
      const bool let_go = obstacle->hold_up();
      CHECK(let_go);
      const auto child = []() -> task<int> { co_return 7; };
      auto made = spawn(child);
      event->set();
      const int seven = co_await made;
      co_await sleep_for(1ms);
      co_return seven;
    };
    auto blocked = spawn(job, &what, &woken);
    co_await until_held(&what);
    co_await spawn(let_go, &what);
    co_await woken.wait();
    const int seven = co_await blocked;
    CHECK(seven == 7);
  });
}

TEST_CASE("M14 a task ends, fails and is awaited where its thread has no processor") {
  run_in(watched(1), []() -> task<> {
    for (const bool fails : no_and_yes) {
      obstacle what;
      const auto job = [](obstacle* met, bool throws) -> task<int> {
        const cove::blocking_scope blocks(cove::blocking_scope::for_long);
        met->hold_up();
        if (throws) throw std::runtime_error("after the obstacle");
        co_return 7;
      };
      auto blocked = cove::runtime::current()->spawn(job, &what, fails);
      co_await until_held(&what);
      what.let_go();
      bool failed = false;
      int seven = 0;
      try {
        seven = co_await blocked;
      } catch (const std::runtime_error&) {
        failed = true;
      }
      CHECK(failed == fails);
      CHECK(seven == (fails ? 0 : 7));
    }
  });
}

TEST_CASE("M14 threads stay below their limit, and what waits goes on when one comes back") {
  runtime_options options = watched(2);
  options.extra_threads = 3;
  run_in(options, []() -> task<> {
    obstacle what;
    std::vector<cove::join_handle<bool>> blocked;
    for (int i = 0; i < 8; ++i) blocked.push_back(spawn(meet, &what));
    cove::runtime& here = *cove::runtime::current();
    std::thread remover([&what, &here] {
      CHECK(cove::test::thread_waits_for([&what] { return what.held() >= 5; }));
      // The others would be, if there were threads for them.
      CHECK(cove::test::thread_waits_for([&here] { return here.stats().hand_offs_missed > 0; }));
      what.let_go();
    });
    for (auto& each : blocked) {
      const bool let_go = co_await each;
      CHECK(let_go);
    }
    remover.join();
    CHECK(cove::runtime::current()->stats().threads <= 5);
  });
}

TEST_CASE("M14 a hand-off a look: every entry may find that the processor is gone") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    runtime_options options = watched(workers);
    options.tuning.retake_at_once = true;
    run_in(options, []() -> task<> {
      cove::test::channel_pairs load;
      load.between = compute;
      const cove::runtime& here = *cove::runtime::current();
      // On a machine with much else to do sysmon looks seldom.
      for (int round = 0; round < 2 || (round < 50 && here.stats().hand_offs == 0); ++round)
        co_await cove::test::run_pairs(load);
      CHECK(here.stats().hand_offs > 0);
    });
  }
}
