#include "sched/run_queue.hpp"

#include <doctest/doctest.h>

#include <array>

// The run queue with thieves: each task is taken once, by one who sees what its maker wrote, and
// nobody is told that there is nothing while there is something.

namespace {

using stepping::execution;
using stepping::plain;
using stepping::require;
using stepping::walk;

struct task {
  task* next = nullptr;
  plain<int> work{0};
  int taken = 0;
};

using queue = cove::sched::run_queue<task, 4>;

void make(task& which) { which.work.set(1); }
void run(task* which) {
  if (which == nullptr) return;
  require(which->work.get() == 1, "run before it was made");
  which->work.set(2);
  ++which->taken;
}
/// What overflows goes to the global queue, which has a lock; here to whoever pushed.
void push(queue& where, task& which) {
  unsigned count = 0;
  for (task* over = where.push(&which, count); over != nullptr;) {
    task* rest = over->next;
    run(over);
    over = rest;
  }
}
void run_all(queue& where) {
  run(where.take_next());
  while (task* each = where.pop()) run(each);
}
template <std::size_t Count>
void check(const std::array<task, Count>& tasks) {
  for (const task& each : tasks) require(each.taken == 1, "a task was not taken once");
}

TEST_CASE("an owner and a thief share what there is") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    queue its, mine;
    std::array<task, 3> tasks;
    e.thread([&] {
      for (task& each : tasks) make(each), push(its, each);
      run_all(its);
    });
    e.thread([&] {
      run(its.steal_into(mine, false));
      run_all(mine);
    });
    e.run();
    check(tasks);
  });
  CHECK(found.failure == "");
}

TEST_CASE("a slot begins its next life when thieves have left it") {
  const auto found = walk({.departures = 3}, [](execution& e) {
    queue its, mine;
    its.set_limit(2);
    std::array<task, 5> tasks;
    e.thread([&] {
      for (task& each : tasks) {
        make(each), push(its, each);
        if (&each == &tasks[2]) run(its.pop());
      }
      run_all(its);
    });
    e.thread([&] {
      run(its.steal_into(mine, false));
      run_all(mine);
      run(its.steal_into(mine, false));
      run_all(mine);
    });
    e.run();
    check(tasks);
  });
  CHECK(found.failure == "");
}

TEST_CASE("two thieves and an owner take each task once") {
  const auto found = walk({.departures = 2}, [](execution& e) {
    queue its, mine, other;
    std::array<task, 3> tasks;
    for (task& each : tasks) make(each), push(its, each);
    e.thread([&] { run_all(its); });
    e.thread([&] {
      run(its.steal_into(mine, false));
      run_all(mine);
    });
    e.thread([&] {
      run(its.steal_into(other, false));
      run_all(other);
    });
    e.run();
    check(tasks);
  });
  CHECK(found.failure == "");
}

TEST_CASE("a thief that is robbed itself loses nothing") {
  const auto found = walk({.departures = 3}, [](execution& e) {
    queue its, mine, other;
    std::array<task, 4> tasks;
    mine.set_limit(1);
    for (task& each : tasks) make(each), push(its, each);
    e.thread([&] {
      run(its.steal_into(mine, false));
      run(its.steal_into(mine, false));
      run_all(mine);
    });
    e.thread([&] {
      run(mine.steal_into(other, false));
      run_all(other);
    });
    e.run();
    run_all(its);
    check(tasks);
  });
  CHECK(found.failure == "");
}

TEST_CASE("what a ring has no room for is lost on neither side") {
  const auto found = walk({.departures = 2}, [](execution& e) {
    queue its, mine;
    std::array<task, 9> tasks;
    for (std::size_t i = 0; i < 4; ++i) make(tasks[i]), push(mine, tasks[i]);
    e.thread([&] {
      for (std::size_t i = 4; i < 9; ++i) make(tasks[i]), push(its, tasks[i]);
      run_all(its);
    });
    e.thread([&] {
      run(its.steal_into(mine, false));
      run_all(mine);
    });
    e.run();
    check(tasks);
  });
  CHECK(found.failure == "");
}

TEST_CASE("the next slot is emptied once, by its owner or a thief") {
  for (const bool by_name : {false, true}) {
    const auto found = walk({.departures = 4}, [&](execution& e) {
      queue its, mine;
      std::array<task, 2> tasks;
      e.thread([&] {
        for (task& each : tasks) {
          make(each);
          if (task* displaced = its.push_next(&each)) push(its, *displaced);
        }
        if (by_name && its.take_next_if(tasks[1])) run(&tasks[1]);
        run_all(its);
      });
      e.thread([&] {
        run(its.steal_into(mine, true));
        run_all(mine);
      });
      e.run();
      check(tasks);
    });
    CHECK(found.failure == "");
  }
}

// Also where there are no thieves and nothing is an update: others look nevertheless.
TEST_CASE("a queue that always holds something is never called empty") {
  for (const bool solo : {false, true}) {
    for (const bool by_name : {false, true}) {
      const auto found = walk({.departures = 4}, [&](execution& e) {
        queue its(solo);
        std::array<task, 2> tasks;
        static_cast<void>(its.push_next(&tasks[0]));
        e.thread([&] {
          push(its, *its.push_next(&tasks[1]));
          if (by_name)
            require(its.take_next_if(tasks[1]), "it was gone");
          else
            require(its.take_next() == &tasks[1], "it was gone");
        });
        e.thread([&] { require(!its.empty(), "it was called empty"); });
        e.run();
      });
      CHECK(found.failure == "");
    }
  }
}

TEST_CASE("a size is never more than there ever were") {
  for (const bool solo : {false, true}) {
    const auto found = walk({.departures = 4}, [&](execution& e) {
      queue its(solo);
      std::array<task, 2> tasks;
      e.thread([&] {
        push(its, tasks[0]);
        static_cast<void>(its.pop());
        push(its, tasks[1]);
        static_cast<void>(its.pop());
      });
      e.thread([&] { require(its.size() <= 2, "more than there ever were"); });
      e.run();
    });
    CHECK(found.failure == "");
  }
}

}  // namespace
