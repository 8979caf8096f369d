#include "sched/timer_heap.hpp"

#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace {

using cove::detail::timer_node;
using cove::sched::timer_heap;

/// A timer with a number, which notes in the sink that it fired.
struct numbered : timer_node {
  int number = 0;

  explicit numbered(int n = 0) : number(n) {
    fire = [](timer_node& self, void* sink) noexcept {
      static_cast<std::vector<int>*>(sink)->push_back(static_cast<numbered&>(self).number);
    };
  }
};

using numbers = std::vector<int>;

/// What fires up to `now`, in order.
numbers expired(timer_heap& heap, std::int64_t now, unsigned limit = 1000) {
  numbers fired;
  fired.reserve(limit);
  const unsigned count = heap.expire(now, &fired, limit);
  CHECK(count == fired.size());
  return fired;
}

TEST_CASE("an empty heap has no deadline") {
  timer_heap heap(0);
  CHECK(heap.earliest() == timer_heap::never());
  CHECK(heap.size() == 0);
  CHECK(expired(heap, timer_heap::never() - 1).empty());
}

TEST_CASE("insert says whether the earliest deadline has moved") {
  timer_heap heap(0);
  numbered a(1), b(2), c(3), d(4);
  CHECK(heap.insert(a, 100));
  CHECK_FALSE(heap.insert(b, 200));
  CHECK_FALSE(heap.insert(c, 100));
  CHECK(heap.earliest() == 100);
  CHECK(heap.insert(d, 99));
  CHECK(heap.earliest() == 99);
  expired(heap, 1000);
}

TEST_CASE("a node names its heap while it is armed") {
  timer_heap heap(7);
  numbered a(1);
  CHECK(heap.id() == 7);
  CHECK(a.heap.load() == 0);
  CHECK(heap.insert(a, 5));
  CHECK(a.heap.load() == 8);
  CHECK(a.when_ns == 5);
  CHECK(heap.remove(a));
  CHECK(a.heap.load() == 0);
  CHECK(heap.insert(a, 6));
  expired(heap, 6);
  CHECK(a.heap.load() == 0);
}

TEST_CASE("timers fire in the order of their deadlines and none before it") {
  timer_heap heap(0);
  numbered a(1), b(2), c(3);
  CHECK(heap.insert(b, 20));
  CHECK_FALSE(heap.insert(c, 30));
  CHECK(heap.insert(a, 10));
  CHECK(expired(heap, 9) == numbers{});
  CHECK(expired(heap, 20) == numbers{1, 2});
  CHECK(heap.earliest() == 30);
  CHECK(expired(heap, 30) == numbers{3});
  CHECK(heap.earliest() == timer_heap::never());
}

TEST_CASE("timers with one deadline fire in the order in which they were armed") {
  timer_heap heap(0);
  std::vector<std::unique_ptr<numbered>> timers;
  numbers expected;
  for (int i = 0; i < 100; ++i) {
    timers.push_back(std::make_unique<numbered>(i));
    CHECK(heap.insert(*timers.back(), 50) == (i == 0));
  }
  // Arming again puts a timer behind the others.
  CHECK(heap.remove(*timers[10]));
  CHECK_FALSE(heap.insert(*timers[10], 50));
  for (int i = 0; i < 100; ++i) {
    if (i != 10) expected.push_back(i);
  }
  expected.push_back(10);
  CHECK(expired(heap, 50) == expected);
}

TEST_CASE("a removed timer does not fire") {
  timer_heap heap(0);
  numbered a(1), b(2), c(3);
  CHECK(heap.insert(a, 10));
  CHECK_FALSE(heap.insert(b, 20));
  CHECK_FALSE(heap.insert(c, 30));
  CHECK(heap.remove(a));
  CHECK(heap.earliest() == 20);
  CHECK(heap.remove(c));
  CHECK(expired(heap, 100) == numbers{2});
}

TEST_CASE("remove tells an armed timer from one that has fired or was never armed") {
  timer_heap heap(0);
  numbered a(1), b(2);
  CHECK_FALSE(heap.remove(a));
  CHECK(heap.insert(a, 10));
  CHECK(heap.remove(a));
  CHECK_FALSE(heap.remove(a));
  CHECK(heap.insert(b, 10));
  expired(heap, 10);
  CHECK_FALSE(heap.remove(b));
}

TEST_CASE("expire stops at its limit and leaves the rest due") {
  timer_heap heap(0);
  numbered a(1), b(2), c(3);
  CHECK(heap.insert(a, 10));
  CHECK_FALSE(heap.insert(b, 20));
  CHECK_FALSE(heap.insert(c, 30));
  CHECK(expired(heap, 100, 2) == numbers{1, 2});
  CHECK(heap.earliest() == 30);
  CHECK(expired(heap, 100, 2) == numbers{3});
}

/// A timer whose deadline has moved on by the time it fires, `again` times.
struct lazy : timer_node {
  timer_heap& home;
  int again;
  std::int64_t step_ns;

  lazy(timer_heap& in, int times, std::int64_t step) : home(in), again(times), step_ns(step) {
    fire = [](timer_node& self, void* sink) noexcept {
      auto& me = static_cast<lazy&>(self);
      static_cast<numbers*>(sink)->push_back(static_cast<int>(me.when_ns));
      if (me.again-- > 0) me.home.reinsert(me, me.when_ns + me.step_ns);
    };
  }
};

TEST_CASE("a timer can arm itself anew while it fires") {
  timer_heap heap(0);
  lazy timer(heap, 2, 10);
  CHECK(heap.insert(timer, 10));
  CHECK(expired(heap, 15) == numbers{10});
  CHECK(heap.earliest() == 20);
  CHECK(expired(heap, 25) == numbers{20});
  CHECK(heap.remove(timer));
}

TEST_CASE("a timer that arms itself for a time that is due fires in the same pass") {
  timer_heap heap(0);
  lazy timer(heap, 100, 0);
  CHECK(heap.insert(timer, 10));
  CHECK(expired(heap, 10, 5) == numbers{10, 10, 10, 10, 10});
  CHECK(heap.remove(timer));
}

TEST_CASE("a heap that has grown and shrunk keeps its order") {
  timer_heap heap(0);
  std::vector<std::unique_ptr<numbered>> timers;
  for (int i = 0; i < 20000; ++i) {
    timers.push_back(std::make_unique<numbered>(i));
    (void)heap.insert(*timers.back(), 1 + (i * 7919) % 20011);
  }
  for (int i = 0; i < 20000; ++i) {
    if (i % 500 != 0) CHECK(heap.remove(*timers[static_cast<std::size_t>(i)]));
  }
  CHECK(heap.size() == 40);
  const numbers fired = expired(heap, 30000);
  CHECK(fired.size() == 40);
  for (std::size_t i = 1; i < fired.size(); ++i) {
    CHECK(timers[static_cast<std::size_t>(fired[i - 1])]->when_ns <=
          timers[static_cast<std::size_t>(fired[i])]->when_ns);
  }
}

/// Bytes that the process has from the system's allocator.
std::size_t allocated() {
  const struct mallinfo2 now = ::mallinfo2();
  return now.uordblks + now.hblkhd;
}

TEST_CASE("T10 a million timers are set and taken back, and the heap gives their room back") {
  constexpr std::size_t count = 1'000'000;
  std::vector<numbered> timers(count);
  std::vector<numbered*> order;
  for (numbered& each : timers) order.push_back(&each);
  std::mt19937_64 random(10);
  std::shuffle(order.begin(), order.end(), random);
  timer_heap heap(0);
  const std::size_t before = allocated();
  for (numbered* each : order) (void)heap.insert(*each, static_cast<std::int64_t>(random() >> 2));
  CHECK(heap.size() == count);
  std::shuffle(order.begin(), order.end(), random);
  std::size_t removed = 0;
  for (numbered* each : order) removed += heap.remove(*each);
  CHECK(removed == count);
  CHECK(heap.size() == 0);
  constexpr std::size_t crumbs = 64 << 10;
  CHECK(allocated() <= before + crumbs);
}

TEST_CASE("any sequence of operations fires what a sorted list would") {
  std::mt19937 random(20240608);
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    timer_heap heap(0);
    std::vector<std::unique_ptr<numbered>> timers;
    for (int i = 0; i < 700; ++i) timers.push_back(std::make_unique<numbered>(i));
    // Equal keys of a multimap stay in the order of insertion.
    std::multimap<std::int64_t, int> model;
    std::vector<std::multimap<std::int64_t, int>::iterator> armed(timers.size(), model.end());
    std::int64_t now = 0;
    // Few distinct deadlines, so that many are equal; phases that fill and phases that drain.
    for (int step = 0; step < 5000; ++step) {
      const bool filling = step / 1000 % 2 == 0;
      const auto at = static_cast<std::size_t>(random() % timers.size());
      const auto draw = random() % 100;
      if (draw < (filling ? 70u : 10u)) {
        if (armed[at] != model.end()) continue;
        const std::int64_t when = now + static_cast<std::int64_t>(random() % 200);
        const bool earlier = model.empty() || when < model.begin()->first;
        armed[at] = model.emplace(when, static_cast<int>(at));
        REQUIRE(heap.insert(*timers[at], when) == earlier);
      } else if (draw < 95) {
        REQUIRE(heap.remove(*timers[at]) == (armed[at] != model.end()));
        if (armed[at] != model.end()) model.erase(armed[at]);
        armed[at] = model.end();
      } else {
        now += static_cast<std::int64_t>(random() % 20);
        const auto limit = static_cast<unsigned>(random() % 10 + 1);
        numbers expected;
        while (expected.size() < limit && !model.empty() && model.begin()->first <= now) {
          expected.push_back(model.begin()->second);
          armed[static_cast<std::size_t>(expected.back())] = model.end();
          model.erase(model.begin());
        }
        REQUIRE(expired(heap, now, limit) == expected);
      }
      REQUIRE(heap.size() == model.size());
      REQUIRE(heap.earliest() == (model.empty() ? timer_heap::never() : model.begin()->first));
    }
    expired(heap, now + 1000);
  }
}

TEST_CASE("remove waits for a fire that is running") {
  struct slow : timer_node {
    std::atomic<bool> running{false};
    std::atomic<bool> removing{false};
    std::atomic<bool> over{false};
  } timer;
  timer.fire = [](timer_node& self, void*) noexcept {
    auto& me = static_cast<slow&>(self);
    me.running = true;
    while (!me.removing) std::this_thread::yield();
    // The other thread is about to call remove; leave it time to return too early.
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    me.over = true;
  };
  timer_heap heap(0);
  CHECK(heap.insert(timer, 10));
  std::thread worker([&] { CHECK(heap.expire(10, nullptr, 1) == 1); });
  while (!timer.running) std::this_thread::yield();
  timer.removing = true;
  CHECK_FALSE(heap.remove(timer));
  CHECK(timer.over);
  worker.join();
}

TEST_CASE("a timer that one thread expires and another removes ends once, and may die then") {
  // Each timer is an allocation of its own and freed at once, so that a sanitizer sees whoever
  // touches it late.
  struct counted : timer_node {
    std::atomic<int>* fired = nullptr;
  };
  timer_heap heap(0);
  std::atomic<int> fired{0};
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop) {
      if (heap.expire(timer_heap::never() - 1, nullptr, 3) == 0) std::this_thread::yield();
    }
  });
  int removed = 0;
  constexpr int rounds = 20000;
  for (int i = 0; i < rounds; ++i) {
    auto timer = std::make_unique<counted>();
    timer->fired = &fired;
    timer->fire = [](timer_node& self, void*) noexcept { ++*static_cast<counted&>(self).fired; };
    (void)heap.insert(*timer, i % 7);
    if (i % 3 == 0) std::this_thread::yield();
    if (heap.remove(*timer)) ++removed;
  }
  stop = true;
  worker.join();
  CHECK(removed + fired == rounds);
  CHECK(heap.size() == 0);
}

}  // namespace
