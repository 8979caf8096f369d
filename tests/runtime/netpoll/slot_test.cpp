#include "netpoll/slot.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

namespace {

using cove::detail::task_ctl;
using cove::netpoll::slot;

TEST_CASE("an event finds the task that is armed") {
  slot side;
  task_ctl task;
  CHECK(side.arm(task));
  CHECK_FALSE(side.is_ready());
  CHECK(side.event() == &task);
  CHECK_FALSE(side.is_ready());  // The task knows.
  CHECK(side.arm(task));
}

TEST_CASE("an event without a task is kept for the next one to arm") {
  slot side;
  task_ctl task;
  CHECK(side.event() == nullptr);
  CHECK(side.is_ready());
  CHECK_FALSE(side.arm(task));
  // It was consumed: the holder makes its call again, and then may wait.
  CHECK_FALSE(side.is_ready());
  CHECK(side.arm(task));
}

TEST_CASE("events are one event until somebody looks") {
  slot side;
  task_ctl task;
  CHECK(side.event() == nullptr);
  CHECK(side.event() == nullptr);
  CHECK_FALSE(side.arm(task));
  CHECK(side.arm(task));
  CHECK(side.event() == &task);
  CHECK(side.event() == nullptr);
  CHECK(side.is_ready());
}

TEST_CASE("a holder forgets what happened before its call, and only that") {
  slot side;
  task_ctl task;
  CHECK(side.event() == nullptr);
  side.prepare();
  CHECK_FALSE(side.is_ready());
  CHECK(side.arm(task));
  CHECK(side.event() == &task);
  side.prepare();
  CHECK(side.event() == nullptr);  // During the call.
  CHECK_FALSE(side.arm(task));
}

TEST_CASE("a holder takes its task back unless its completion is on the way") {
  slot side;
  task_ctl task;
  CHECK(side.arm(task));
  CHECK(side.withdraw(task));
  CHECK(side.event() == nullptr);
  CHECK_FALSE(side.withdraw(task));
  side.prepare();
  CHECK(side.arm(task));
  CHECK(side.event() == &task);
  CHECK_FALSE(side.withdraw(task));
}

TEST_CASE("a closer takes the task out, once, and leaves everything else") {
  slot side;
  task_ctl task;
  CHECK(side.evict() == nullptr);
  CHECK(side.event() == nullptr);
  CHECK(side.evict() == nullptr);
  CHECK(side.is_ready());
  side.prepare();
  CHECK(side.arm(task));
  CHECK(side.evict() == &task);
  CHECK(side.evict() == nullptr);
  CHECK_FALSE(side.withdraw(task));
  CHECK(side.event() == nullptr);
}

TEST_CASE("a closer borrows the task of a completion backend") {
  slot side;
  task_ctl task;
  CHECK(side.borrow() == nullptr);
  CHECK(side.arm(task));
  CHECK(side.borrow() == &task);
  CHECK(side.borrow() == nullptr);  // One at a time.
  side.give_back(task);
  CHECK(side.borrow() == &task);
  side.give_back(task);
  side.release(task);
  CHECK(side.borrow() == nullptr);
}

TEST_CASE("an event finds a task that is borrowed") {
  slot side;
  task_ctl task;
  CHECK(side.arm(task));
  CHECK(side.borrow() == &task);
  CHECK(side.event() == &task);
}

TEST_CASE("releasing leaves a slot alone that the task is not in") {
  slot side;
  task_ctl task;
  side.release(task);
  CHECK_FALSE(side.is_ready());
  CHECK(side.event() == nullptr);
  side.release(task);
  CHECK(side.is_ready());
}

TEST_CASE("a release waits for whoever has borrowed the task") {
  for (int round = 0; round < 200; ++round) {
    slot side;
    task_ctl task;
    std::atomic<bool> asked{false};
    CHECK(side.arm(task));
    CHECK(side.borrow() == &task);
    std::thread closer([&] {
      asked = true;
      side.give_back(task);
    });
    side.release(task);
    CHECK(asked);
    closer.join();
    CHECK(side.borrow() == nullptr);
  }
}

TEST_CASE("a slot that was reset is as new") {
  slot side;
  task_ctl task;
  CHECK(side.event() == nullptr);
  side.reset();
  CHECK_FALSE(side.is_ready());
  CHECK(side.arm(task));
}

/// Has two threads make their moves at once, again and again.
template <class Prepare, class One, class Other, class Check>
void meet(int rounds, Prepare prepare, One one, Other other, Check check) {
  // A round begins when both have come, and ends when both have moved.
  std::atomic<int> arrived{0}, moved{0};
  const auto wait_for = [](const std::atomic<int>& count, int goal) {
    for (unsigned turns = 1; count.load() < goal; ++turns)
      if (turns % 1024 == 0) std::this_thread::yield();
  };
  std::thread beside([&] {
    for (int i = 1; i <= rounds; ++i) {
      wait_for(arrived, 2 * i - 1);
      ++arrived;
      // The other one needs a moment to see that; so both shift past each other.
      for (volatile int k = 0; k < i % 200;) k = k + 1;
      other();
      ++moved;
    }
  });
  for (int i = 1; i <= rounds; ++i) {
    prepare();
    ++arrived;
    wait_for(arrived, 2 * i);
    one();
    wait_for(moved, i);
    check();
  }
  beside.join();
}

TEST_CASE("a task in a slot is removed by exactly one of poller, closer and holder") {
  slot side;
  task_ctl task;
  std::atomic<int> removed{0};
  int wrong = 0;
  const auto arm = [&] {
    side.reset();
    removed = 0;
    if (!side.arm(task)) ++wrong;
  };
  const auto poll = [&] { removed += side.event() != nullptr ? 1 : 0; };
  const auto close = [&] { removed += side.evict() != nullptr ? 1 : 0; };
  const auto withdraw = [&] { removed += side.withdraw(task) ? 1 : 0; };
  const auto one_did = [&] { wrong += removed == 1 ? 0 : 1; };
  constexpr int rounds = 50'000;
  meet(rounds, arm, poll, close, one_did);
  meet(rounds, arm, poll, withdraw, one_did);
  meet(rounds, arm, close, withdraw, one_did);
  CHECK(wrong == 0);
}

TEST_CASE("an event that comes while a task arms is found or finds the task") {
  slot side;
  task_ctl task;
  bool armed = false, woken = false;
  int wrong = 0;
  const auto begin = [&] {
    side.reset();
    armed = woken = false;
  };
  const auto arm = [&] { armed = side.arm(task); };
  const auto poll = [&] { woken = side.event() != nullptr; };
  // Armed and not woken would be an event lost, woken and not armed a task woken for nothing.
  const auto check = [&] { wrong += armed == woken ? 0 : 1; };
  meet(50'000, begin, arm, poll, check);
  CHECK(wrong == 0);
}

}  // namespace
