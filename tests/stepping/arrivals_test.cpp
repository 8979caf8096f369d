#include "sched/arrivals.hpp"

#include <doctest/doctest.h>

#include <array>

// The list of what arrives: each task is taken once, whole and in its order, and whoever sleeps is
// told of it by the one that has to.

namespace {

using cove::detail::atomic;
using stepping::execution;
using stepping::plain;
using stepping::require;
using stepping::walk;

struct task {
  task* next = nullptr;
  plain<int> work{0};
  int taken = 0;
};

using list = cove::sched::arrivals<task>;

/// Takes what there is, and gives how many.
int take_all(list& from) {
  int count = 0;
  for (task* each = from.take(); each != nullptr; each = each->next, ++count) {
    require(each->work.get() == 1, "taken before it was made");
    ++each->taken;
  }
  return count;
}

TEST_CASE("what several bring is taken once, by one who sees it whole") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    list all;
    std::array<task, 3> tasks;
    const auto bring = [&](task& which) {
      which.work.set(1);
      static_cast<void>(all.push(which));
    };
    e.thread([&] { bring(tasks[0]), bring(tasks[1]); });
    e.thread([&] { bring(tasks[2]); });
    e.thread([&] { take_all(all); });
    e.run();
    take_all(all);
    for (const task& each : tasks) require(each.taken == 1, "a task was not taken once");
  });
  CHECK(found.failure == "");
}

TEST_CASE("what one brings is taken in its order") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    list all;
    std::array<task, 3> tasks;
    e.thread([&] {
      for (task& each : tasks) static_cast<void>(all.push(each));
    });
    e.thread([&] {
      task* last = nullptr;
      for (int looks = 0; looks < 2; ++looks)
        for (task* each = all.take(); each != nullptr; each = each->next) {
          require(each > last, "out of order");
          last = each;
        }
    });
    e.run();
  });
  CHECK(found.failure == "");
}

TEST_CASE("who sleeps is told by the first that comes, once for all that it then takes") {
  const auto found = walk({.departures = 3}, [](execution& e) {
    list all;
    std::array<task, 2> tasks;
    atomic<int> idle{0};   // As the scheduler's count of idle processors,
    atomic<int> rings{0};  // and its bell.
    const auto bring = [&](task& which) {
      which.work.set(1);
      if (!all.push(which)) return;
      // seq_cst: as in wake_one(); each side stores, fences, and reads what the other stores.
      cove::detail::thread_fence(std::memory_order_seq_cst);
      if (idle.load(std::memory_order_relaxed) != 0) rings.fetch_add(1, std::memory_order_acq_rel);
    };
    for (task& each : tasks) e.thread([&] { bring(each); });
    e.thread([&] {
      for (std::size_t taken = 0; taken < tasks.size();) {
        idle.store(1, std::memory_order_relaxed);
        cove::detail::thread_fence(std::memory_order_seq_cst);  // seq_cst: as above.
        if (all.empty()) stepping::wait_until([&] { return rings.newest() != 0; });
        idle.store(0, std::memory_order_relaxed);
        rings.exchange(0, std::memory_order_acq_rel);
        taken += static_cast<std::size_t>(take_all(all));
      }
    });
    e.run();
    for (const task& each : tasks) require(each.taken == 1, "a task was not taken once");
  });
  CHECK(found.failure == "");
}

TEST_CASE("who finds it empty sees where the tasks have gone") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    list all;
    task one;
    atomic<int> elsewhere{0};  // As the length of the global queue.
    one.work.set(1);
    static_cast<void>(all.push(one));
    e.thread([&] {
      elsewhere.store(1, std::memory_order_relaxed);
      take_all(all);
    });
    e.thread([&] {
      if (all.empty()) require(elsewhere.load(std::memory_order_relaxed) == 1, "it is nowhere");
    });
    e.run();
  });
  CHECK(found.failure == "");
}

}  // namespace
