#include "support/runtime_test.hpp"

#include <array>
#include <future>
#include <vector>

// Threads that block in user code lose their processor, and are heard when they come back.

namespace {

using cove::runtime_options;
using cove::spawn;
using cove::task;
using cove::test::eventually;
using cove::test::patience;
using cove::test::run_in;
using cove::this_task::sleep_for;
using cove::this_task::yield;
using std::chrono_literals::operator""ms;

constexpr std::array no_and_yes{false, true};

runtime_options watched(unsigned workers) {
  runtime_options options;
  options.workers = workers;
  return options;
}

/// Blocks its thread until it is let go, as a lock or a slow disk would.
class obstacle {
 public:
  /// False if nobody did so in time.
  bool meet() {
    ++met_;
    return gone_.wait_for(patience) == std::future_status::ready;
  }
  int met() const { return met_; }
  void remove() { removed_.set_value(); }

 private:
  std::atomic<int> met_{0};
  std::promise<void> removed_;
  std::shared_future<void> gone_{removed_.get_future().share()};
};

task<bool> meet(obstacle* what) { co_return what->meet(); }
task<bool> meet_in_scope(obstacle* what) {
  const cove::blocking_scope blocks;
  co_return what->meet();
}
task<bool> meet_for_long(obstacle* what) {
  const cove::blocking_scope outer;
  const cove::blocking_scope blocks(cove::blocking_scope::for_long);
  co_return what->meet();
}
/// User code for about as long as it takes to have the processor taken.
void compute() {
  for (int i = 0; i < 8; ++i) std::this_thread::yield();
}
task<> remove_it(obstacle* what) {
  what->remove();
  co_return;
}

}  // namespace

TEST_CASE("M14 a thread that blocks unannounced loses its processor to what waits behind it") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    run_in(watched(workers), [workers]() -> task<> {
      obstacle what;
      std::vector<cove::join_handle<bool>> blocked;
      for (unsigned i = 0; i < workers; ++i) blocked.push_back(spawn(meet, &what));
      // Without a hand-off this one would never run.
      const auto all_met = [&] { return what.met() == static_cast<int>(workers); };
      co_await eventually(all_met);
      co_await spawn(remove_it, &what);
      for (auto& each : blocked) {
        const bool let_go = co_await each;
        CHECK(let_go);
      }
      const auto stats = cove::runtime::current()->stats();
      CHECK(stats.hand_offs >= 1);
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
    const auto both_met = [&] { return what.met() == 2; };
    co_await eventually(both_met);
    for (int i = 0; i < 20; ++i) co_await sleep_for(1ms);
    what.remove();
    for (auto& each : blocked) {
      const bool let_go = co_await each;
      CHECK(let_go);
    }
  });
}

TEST_CASE("M14 an announced section hands its processor over, nested ones as well") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    for (const auto section : {meet_in_scope, meet_for_long}) {
      run_in(watched(workers), [workers, section]() -> task<> {
        obstacle what;
        std::vector<cove::join_handle<bool>> blocked;
        for (unsigned i = 0; i < workers; ++i) blocked.push_back(spawn(section, &what));
        const auto all_met = [&] { return what.met() == static_cast<int>(workers); };
        co_await eventually(all_met);
        co_await spawn(remove_it, &what);
        for (auto& each : blocked) {
          const bool let_go = co_await each;
          CHECK(let_go);
        }
      });
    }
  }
}

TEST_CASE("M14 a section that is known to be long needs nobody who watches") {
  runtime_options options = cove::test::plain_options(1);
  run_in(options, []() -> task<> {
    obstacle what;
    auto blocked = spawn(meet_for_long, &what);
    const auto met = [&] { return what.met() == 1; };
    co_await eventually(met);
    co_await spawn(remove_it, &what);
    const bool let_go = co_await blocked;
    CHECK(let_go);
    CHECK(cove::runtime::current()->stats().hand_offs >= 1);
  });
}

TEST_CASE("M14 what a thread spawns and wakes after it lost its processor runs") {
  run_in(watched(1), []() -> task<> {
    obstacle what;
    cove::event woken;
    const auto job = [](obstacle* obstacle, cove::event* event) -> task<int> {
      const bool let_go = obstacle->meet();
      CHECK(let_go);
      const auto child = []() -> task<int> { co_return 7; };
      auto made = spawn(child);
      event->set();
      const int seven = co_await made;
      co_await sleep_for(1ms);
      co_return seven;
    };
    auto blocked = spawn(job, &what, &woken);
    const auto met = [&] { return what.met() == 1; };
    co_await eventually(met);
    co_await spawn(remove_it, &what);
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
        met->meet();
        if (throws) throw std::runtime_error("after the obstacle");
        co_return 7;
      };
      auto blocked = cove::runtime::current()->spawn(job, &what, fails);
      const auto met = [&] { return what.met() == 1; };
      co_await eventually(met);
      what.remove();
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
      CHECK(cove::test::thread_waits_for([&what] { return what.met() >= 5; }));
      // The others would be, if there were threads for them.
      CHECK(cove::test::thread_waits_for([&here] { return here.stats().hand_offs_missed > 0; }));
      what.remove();
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
      const auto worker = [](cove::channel<int>* to, int count) -> task<> {
        for (int i = 0; i < count; ++i) {
          compute();
          co_await to->send(i);
          if (i % 16 == 0) co_await yield();
          if (i % 64 == 0) co_await sleep_for(std::chrono::microseconds(10));
        }
      };
      const auto sum = [](cove::channel<int>* from, int count) -> task<long> {
        long total = 0;
        for (int i = 0; i < count; ++i) {
          const std::optional<int> got = co_await from->receive();
          compute();
          total += got.value_or(0);
        }
        co_return total;
      };
      constexpr int count = 500;
      constexpr int pairs = 4;
      std::vector<std::unique_ptr<cove::channel<int>>> channels;
      std::vector<cove::join_handle<void>> senders;
      std::vector<cove::join_handle<long>> receivers;
      for (int i = 0; i < pairs; ++i) {
        channels.push_back(std::make_unique<cove::channel<int>>(4));
        senders.push_back(spawn(worker, channels.back().get(), count));
        receivers.push_back(spawn(sum, channels.back().get(), count));
      }
      for (auto& each : senders) co_await each;
      for (auto& each : receivers) {
        const long total = co_await each;
        CHECK(total == static_cast<long>(count) * (count - 1) / 2);
      }
      CHECK(cove::runtime::current()->stats().hand_offs > 0);
    });
  }
}
