#include "io_deadline.hpp"

#include <doctest/doctest.h>

// The moves of a sticky deadline, one by one and without threads: what the timer heap sees of them.

namespace {

using cove::detail::io_deadline;
using cove::detail::io_deadlines;
using cove::detail::never_ns;
using cove::detail::parking_word;
using cove::detail::task_ctl;
using cove::detail::task_list;
using cove::netpoll::direction;
using cove::netpoll::poll_desc;
using cove::sched::timer_heap;
using watch = io_deadline::watch;

/// A descriptor with deadlines, a task that reads from it, and the heaps of two processors. The
/// moments lie far behind the clock's now.
struct bench {
  explicit bench(bool completes = false) {
    desc.completes = completes;
    both.attach(desc);
  }
  ~bench() { reads.disarm(); }

  /// The task waits: it stands in the slot, its timer is seen to, it is parked.
  watch wait(timer_heap& own) {
    CHECK(desc.at(direction::read).arm(task));
    const watch outcome = reads.wait_on(own);
    CHECK(task.word.park(false) == parking_word::outcome::parked);
    return outcome;
  }
  /// The task was roused and runs: it is no longer in the slot.
  void run() {
    if (task.word.claimed()) task.word.take();
    task.word.end_operation();
    if (desc.completes) desc.at(direction::read).release(task);
  }
  /// Who waits, if the timers that are due at `now` say that it may go on.
  task_ctl* expire(timer_heap& heap, std::int64_t now) {
    task_list due;
    fired += heap.expire(now, &due, 64);
    return due.pop();
  }

  timer_heap one{0};
  timer_heap other{1};
  poll_desc desc;
  io_deadlines both;
  io_deadline& reads = both.at(direction::read);
  task_ctl task;
  unsigned fired = 0;
};

}  // namespace

TEST_CASE("an operation sets the timer once, and operations after it find it set") {
  bench b;
  CHECK(b.reads.set(100) == nullptr);
  CHECK(b.one.size() == 0);
  CHECK(b.wait(b.one) == watch::sooner);
  CHECK(b.one.earliest() == 100);
  for (int i = 0; i < 10'000; ++i) {
    CHECK(b.desc.at(direction::read).event() == &b.task);
    CHECK(b.task.word.complete());
    b.run();
    CHECK(b.reads.set(200 + i) == nullptr);
    CHECK(b.wait(b.other) == watch::set);
  }
  CHECK(b.one.size() == 1);
  CHECK(b.one.earliest() == 100);
  CHECK(b.other.size() == 0);
}

TEST_CASE("a deadline that moved later is a timer that sets itself again, once") {
  bench b;
  CHECK(b.reads.set(100) == nullptr);
  b.wait(b.one);
  for (std::int64_t when = 101; when <= 300; ++when) CHECK(b.reads.set(when) == nullptr);
  CHECK(b.expire(b.one, 299) == nullptr);
  CHECK(b.fired == 1);
  CHECK(b.one.earliest() == 300);
  CHECK(b.expire(b.one, 300) == &b.task);
  CHECK(b.one.size() == 0);
  b.run();
  CHECK(b.reads.passed());
}

TEST_CASE("a deadline that was cleared is a timer that comes and goes") {
  bench b;
  CHECK(b.reads.set(100) == nullptr);
  b.wait(b.one);
  CHECK(b.reads.set(never_ns) == nullptr);
  CHECK(b.expire(b.one, 1000) == nullptr);
  CHECK(b.one.size() == 0);
  CHECK_FALSE(b.reads.passed());
  // The first that comes after it rouses whom it finds waiting without a timer.
  CHECK(b.reads.set(2000) == &b.task);
}

TEST_CASE("a deadline that moved earlier rouses the task, which moves the timer to its own heap") {
  for (const bool completes : {false, true}) {
    bench b(completes);
    CHECK(b.reads.set(500) == nullptr);
    b.wait(b.one);
    CHECK(b.reads.set(400) == &b.task);
    // Nobody is there to be roused a second time.
    CHECK(b.reads.set(300) == nullptr);
    b.run();
    CHECK(b.wait(b.other) == watch::sooner);
    CHECK(b.one.size() == 0);
    CHECK(b.other.earliest() == 300);
    // What the timer covers already is a store.
    CHECK(b.reads.set(450) == nullptr);
    CHECK(b.reads.set(350) == nullptr);
    CHECK(b.expire(b.other, 349) == nullptr);
    CHECK(b.expire(b.other, 350) == &b.task);
    b.run();
  }
}

TEST_CASE("a deadline that is set while the task is on its way into the slot is seen there") {
  bench b;
  CHECK(b.wait(b.one) == watch::set);
  CHECK(b.one.size() == 0);
  CHECK(b.reads.set(100) == &b.task);
  b.run();
  CHECK(b.desc.at(direction::read).arm(b.task));
  CHECK(b.reads.set(50) == nullptr);  // It completes the task, which is not parked yet.
  CHECK(b.task.word.park(false) == parking_word::outcome::completed);
}

TEST_CASE("on a completion backend an expiry asks the task and leaves it in the slot") {
  bench b(true);
  CHECK(b.reads.set(100) == nullptr);
  b.wait(b.one);
  CHECK(b.expire(b.one, 100) == &b.task);
  CHECK(b.task.word.claimed());
  CHECK(b.task.word.asked(parking_word::deadline));
  CHECK(b.desc.at(direction::read).borrow() == &b.task);
  b.desc.at(direction::read).give_back(b.task);
  b.run();
}

TEST_CASE("a timer that finds nobody is gone, and the next operation sets it for what is due") {
  bench b;
  CHECK(b.reads.set(100) == nullptr);
  b.wait(b.one);
  CHECK(b.desc.at(direction::read).event() == &b.task);
  CHECK(b.task.word.complete());
  b.run();
  CHECK(b.expire(b.one, 100) == nullptr);
  CHECK(b.one.size() == 0);
  CHECK(b.wait(b.one) == watch::sooner);
  CHECK(b.expire(b.one, 100) == &b.task);
  b.run();
}

TEST_CASE("disarming takes the timer out, and directions do not know of each other") {
  bench b;
  io_deadline& writes = b.both.at(direction::write);
  CHECK(b.reads.set(100) == nullptr);
  CHECK(writes.set(50) == nullptr);
  b.wait(b.one);
  CHECK(b.one.earliest() == 100);
  b.reads.disarm();
  b.reads.disarm();
  CHECK(b.one.size() == 0);
  writes.disarm();  // It was never set.
}
