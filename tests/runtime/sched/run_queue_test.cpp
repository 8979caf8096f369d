#include "sched/run_queue.hpp"

#include <doctest/doctest.h>

#include <array>
#include <deque>
#include <random>
#include <vector>

namespace {

struct job {
  job* next = nullptr;
};

using small_queue = cove::sched::run_queue<job, 8>;

/// Enough jobs to fill a small queue several times, told apart by their place.
struct jobs {
  std::array<job, 64> all;

  job* operator[](std::size_t i) { return &all[i]; }

  std::size_t number(const job* one) const { return static_cast<std::size_t>(one - all.data()); }

  /// Pushes [first, last); none may overflow.
  void push(small_queue& queue, std::size_t first, std::size_t last) {
    unsigned count = 0;
    for (std::size_t i = first; i < last; ++i) REQUIRE(queue.push(&all[i], count) == nullptr);
  }

  /// The numbers of what the ring holds, which is empty then.
  std::vector<std::size_t> drain(small_queue& queue) {
    std::vector<std::size_t> out;
    while (job* one = queue.pop()) out.push_back(number(one));
    return out;
  }

  /// The numbers of a list linked by next.
  std::vector<std::size_t> listed(const job* head) {
    std::vector<std::size_t> out;
    for (; head != nullptr; head = head->next) out.push_back(number(head));
    return out;
  }
};

using numbers = std::vector<std::size_t>;

TEST_CASE("tasks leave the ring in the order in which they were pushed") {
  for (const bool solo : {false, true}) {
    CAPTURE(solo);
    jobs made;
    small_queue queue(solo);
    // Several times around the ring, with a different filling each time.
    for (std::size_t filling = 1; filling <= 8; ++filling) {
      made.push(queue, 0, filling);
      CHECK(queue.size() == filling);
      for (std::size_t i = 0; i < filling; ++i) CHECK(queue.pop() == made[i]);
      CHECK(queue.pop() == nullptr);
      CHECK(queue.size() == 0);
    }
  }
}

TEST_CASE("a full ring hands over its older half with the new task behind it") {
  for (const bool solo : {false, true}) {
    CAPTURE(solo);
    jobs made;
    small_queue queue(solo);
    made.push(queue, 0, 8);
    unsigned count = 0;
    const job* batch = queue.push(made[8], count);
    CHECK(count == 5);
    CHECK(made.listed(batch) == numbers{0, 1, 2, 3, 8});
    CHECK(made.drain(queue) == numbers{4, 5, 6, 7});
  }
}

TEST_CASE("an overflow links tasks whatever their next members held before") {
  jobs made;
  for (job& each : made.all) each.next = made[63];
  small_queue queue;
  made.push(queue, 0, 8);
  unsigned count = 0;
  CHECK(made.listed(queue.push(made[8], count)) == numbers{0, 1, 2, 3, 8});
}

TEST_CASE("a limit makes the ring full earlier") {
  jobs made;
  small_queue queue;
  queue.set_limit(5);
  made.push(queue, 0, 5);
  unsigned count = 0;
  CHECK(made.listed(queue.push(made[5], count)) == numbers{0, 1, 5});
  CHECK(count == 3);
  CHECK(made.drain(queue) == numbers{2, 3, 4});
}

TEST_CASE("a ring with a limit of one passes every further task on") {
  jobs made;
  small_queue queue;
  queue.set_limit(1);
  made.push(queue, 0, 1);
  unsigned count = 0;
  CHECK(made.listed(queue.push(made[1], count)) == numbers{1});
  CHECK(count == 1);
  CHECK(made.drain(queue) == numbers{0});
}

TEST_CASE("the next slot holds one task and returns the one it displaces") {
  for (const bool solo : {false, true}) {
    CAPTURE(solo);
    jobs made;
    small_queue queue(solo);
    CHECK(queue.take_next() == nullptr);
    CHECK(queue.push_next(made[0]) == nullptr);
    CHECK(queue.push_next(made[1]) == made[0]);
    CHECK(queue.take_next() == made[1]);
    CHECK(queue.take_next() == nullptr);
  }
}

TEST_CASE("ring and next slot are drained separately") {
  jobs made;
  small_queue queue;
  made.push(queue, 0, 1);
  CHECK(queue.push_next(made[1]) == nullptr);
  CHECK(queue.size() == 1);
  CHECK(queue.pop() == made[0]);
  CHECK(queue.pop() == nullptr);
  CHECK(queue.take_next() == made[1]);
}

TEST_CASE("a queue is empty when neither ring nor next slot holds a task") {
  jobs made;
  small_queue queue;
  CHECK(queue.empty());
  CHECK(queue.push_next(made[0]) == nullptr);
  CHECK_FALSE(queue.empty());
  made.push(queue, 1, 2);
  CHECK(queue.take_next() == made[0]);
  CHECK_FALSE(queue.empty());
  CHECK(queue.pop() == made[1]);
  CHECK(queue.empty());
}

TEST_CASE("a thief runs the oldest task and keeps the rest of the older half, rounded up") {
  for (std::size_t held = 1; held <= 8; ++held) {
    CAPTURE(held);
    jobs made;
    small_queue victim;
    small_queue mine;
    made.push(victim, 0, held);
    CHECK(victim.steal_into(mine, false) == made[0]);
    const std::size_t taken = held - held / 2;
    numbers kept;
    numbers left;
    for (std::size_t i = 1; i < taken; ++i) kept.push_back(i);
    for (std::size_t i = taken; i < held; ++i) left.push_back(i);
    CHECK(made.drain(mine) == kept);
    CHECK(made.drain(victim) == left);
  }
}

TEST_CASE("a thief finds nothing in an empty queue") {
  small_queue victim;
  small_queue mine;
  CHECK(victim.steal_into(mine, true) == nullptr);
  CHECK(mine.empty());
}

TEST_CASE("a thief takes the next slot only when asked and only when the ring is empty") {
  jobs made;
  small_queue victim;
  small_queue mine;
  CHECK(victim.push_next(made[0]) == nullptr);
  CHECK(victim.steal_into(mine, false) == nullptr);
  made.push(victim, 1, 2);
  CHECK(victim.steal_into(mine, true) == made[1]);
  CHECK(victim.steal_into(mine, true) == made[0]);
  CHECK(victim.empty());
  CHECK(mine.empty());
}

TEST_CASE("a thief takes no more than its own ring has room for") {
  jobs made;
  small_queue victim;
  small_queue mine;
  mine.set_limit(3);
  made.push(mine, 20, 22);
  made.push(victim, 0, 8);
  // Half would be four; there is room for one besides the task to run.
  CHECK(victim.steal_into(mine, false) == made[0]);
  CHECK(made.drain(mine) == numbers{20, 21, 1});
  CHECK(made.drain(victim) == numbers{2, 3, 4, 5, 6, 7});
}

TEST_CASE("a thief with a full ring still takes the task that it runs") {
  jobs made;
  small_queue victim;
  small_queue mine;
  made.push(mine, 20, 28);
  made.push(victim, 0, 8);
  CHECK(victim.steal_into(mine, false) == made[0]);
  CHECK(made.drain(mine) == numbers{20, 21, 22, 23, 24, 25, 26, 27});
  CHECK(made.drain(victim) == numbers{1, 2, 3, 4, 5, 6, 7});
}

/// A queue and what it has to hold, as plain containers. Every step compares the two.
struct compared {
  jobs made;
  small_queue queue;
  small_queue thief;
  unsigned limit;
  std::deque<job*> ring;
  job* next = nullptr;
  std::deque<job*> spare;

  compared(bool solo, unsigned full_at) : queue(solo), limit(full_at) {
    queue.set_limit(limit);
    for (job& each : made.all) spare.push_back(&each);
  }

  job* fresh() {
    job* one = spare.front();
    spare.pop_front();
    return one;
  }

  void push(job* one) {
    unsigned count = 0;
    job* batch = queue.push(one, count);
    if (ring.size() < limit) {
      REQUIRE(batch == nullptr);
      ring.push_back(one);
      return;
    }
    numbers expected;
    for (std::size_t half = ring.size() / 2; half != 0; --half) {
      expected.push_back(made.number(ring.front()));
      spare.push_back(ring.front());
      ring.pop_front();
    }
    expected.push_back(made.number(one));
    spare.push_back(one);
    REQUIRE(count == expected.size());
    REQUIRE(made.listed(batch) == expected);
  }

  void push_next(job* one) {
    job* displaced = queue.push_next(one);
    REQUIRE(displaced == next);
    next = one;
    if (displaced != nullptr) push(displaced);
  }

  void take_next() {
    REQUIRE(queue.take_next() == next);
    if (next != nullptr) spare.push_back(next);
    next = nullptr;
  }

  void pop() {
    job* one = queue.pop();
    REQUIRE(one == (ring.empty() ? nullptr : ring.front()));
    if (one == nullptr) return;
    ring.pop_front();
    spare.push_back(one);
  }

  void steal(bool also_next) {
    job* one = queue.steal_into(thief, also_next);
    if (ring.empty()) {
      REQUIRE(one == (also_next ? next : nullptr));
      if (one == nullptr) return;
      spare.push_back(one);
      next = nullptr;
      return;
    }
    for (std::size_t taken = ring.size() - ring.size() / 2; taken != 0; --taken) {
      REQUIRE(one == ring.front());
      ring.pop_front();
      spare.push_back(one);
      one = thief.pop();
    }
    REQUIRE(one == nullptr);
  }

  void agrees() {
    REQUIRE(queue.size() == ring.size());
    REQUIRE(queue.empty() == (ring.empty() && next == nullptr));
  }
};

TEST_CASE("any sequence of operations leaves what a list of the same tasks would hold") {
  std::mt19937 random(20240607);
  for (int round = 0; round < 2000; ++round) {
    CAPTURE(round);
    const bool solo = round % 2 == 0;
    compared both(solo, static_cast<unsigned>(random() % 8 + 1));
    for (int step = 0; step < 200; ++step) {
      switch (random() % (solo ? 4 : 5)) {
        case 0: both.push(both.fresh()); break;
        case 1: both.push_next(both.fresh()); break;
        case 2: both.take_next(); break;
        case 3: both.pop(); break;
        default: both.steal(random() % 2 == 0); break;
      }
      both.agrees();
    }
  }
}

}  // namespace
