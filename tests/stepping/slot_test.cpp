#include "netpoll/poll_desc.hpp"

#include <cove/runtime/detail/parking_word.hpp>

#include <doctest/doctest.h>

// The slot of a descriptor with what is latched and with the gate, as the holder of a direction
// (io_op.cpp), a poller and a closer (descriptor.cpp) use them. A system call takes the kernel's
// lock of the socket, and so does what arrives: what was stored before the one is seen behind the
// other.

namespace {

using cove::detail::atomic;
using cove::detail::parking_word;
using cove::detail::task_ctl;
using cove::detail::task_list;
using cove::netpoll::direction;
using cove::netpoll::poll_desc;
using cove::netpoll::slot;
using stepping::execution;
using stepping::plain;
using stepping::require;
using stepping::walk;

/// A descriptor whose read direction one task holds.
struct reader {
  enum : unsigned { data = 1, finished = 2 };

  poll_desc desc;
  task_ctl task;
  atomic<unsigned> socket{0};    ///< Under its lock: every access is an update.
  atomic<unsigned> reported{0};  ///< Edges that the poller has not yet collected.
  atomic<int> queued{0};         ///< The run queue of this one task.
  plain<int> frame{0};           ///< The owner of the task, or who queues it.
  plain<int> bytes{0};           ///< What the peer sent.
  bool closed = false;
  int received = 0;

  slot& place() { return desc.at(direction::read); }
  void own() { frame.set(frame.get() + 1); }
  void schedule() {
    own();
    queued.fetch_add(1, std::memory_order_release);
  }

  // ----- the peer and the kernel -----

  void arrives(unsigned what) {
    socket.fetch_or(what, std::memory_order_acq_rel);
    reported.fetch_add(1, std::memory_order_acq_rel);
  }
  unsigned receive() { return socket.fetch_and(finished, std::memory_order_acq_rel); }

  // ----- the poller -----

  void poll_once() {
    stepping::wait_until([this] { return reported.newest() != 0; });
    reported.fetch_sub(1, std::memory_order_acq_rel);
    const unsigned now = socket.fetch_or(0, std::memory_order_acq_rel);
    if ((now & finished) != 0)
      require(desc.latch(desc.generation(), cove::netpoll::peer_finished), "another generation");
    task_list ready;
    desc.report(direction::read, ready);
    if (!ready.empty()) schedule();
  }

  // ----- the holder -----

  /// As advance_readiness() and try_now() in io_op.cpp. Reads until the end of the stream.
  void read_all() {
    for (bool drained = false;;) {
      own();
      if (desc.access.is_closed()) return closed = true, void();
      if (!drained) {
        place().prepare();
        const unsigned got = receive();
        if ((got & data) != 0) {
          ++received;
          drained = desc.latched() == 0;  // A short read.
          continue;
        }
        if ((got & finished) != 0) return;
      }
      drained = false;
      if (!place().arm(task)) continue;
      if (desc.access.is_closed() && place().withdraw(task)) return closed = true, void();
      if (task.word.park(false) == parking_word::outcome::parked) wait();
    }
  }
  void wait() {
    stepping::wait_until([this] { return queued.newest() != 0; });
    queued.fetch_sub(1, std::memory_order_acquire);
  }

  // ----- the closer -----

  void close() {
    desc.access.close();
    if (task_ctl* found = place().evict(); found != nullptr)
      if (found->word.complete(parking_word::closed)) schedule();
  }
};

TEST_CASE("an event is forgotten by who prepares and consumed by who arms") {
  const auto found = walk({}, [](execution& e) {
    slot place;
    task_ctl task;
    e.thread([&] {
      place.event();
      place.prepare();
      require(!place.is_ready(), "it was not forgotten");
      place.event();
      require(!place.arm(task) && !place.is_ready(), "it was not consumed");
      require(place.arm(task) && place.event() == &task, "the task was lost");
    });
    e.run();
  });
  CHECK(found.failure == "");
}

TEST_CASE("a reader misses neither data nor the end of the stream") {
  const auto found = walk({.departures = 3}, [](execution& e) {
    reader r;
    e.thread([&] { r.read_all(); });
    e.thread([&] {
      r.arrives(reader::data);
      r.arrives(reader::finished);
    });
    e.thread([&] {
      r.poll_once();
      r.poll_once();
    });
    e.run();
    require(r.received == 1, "it ended without its data");
    require(r.queued.newest() == 0, "woken when it had ended");
  });
  CHECK(found.failure == "");
}

TEST_CASE("a reader misses no close") {
  const auto found = walk({.departures = 5}, [](execution& e) {
    reader r;
    e.thread([&] { r.read_all(); });
    e.thread([&] { r.close(); });
    e.run();
    require(r.closed && r.queued.newest() == 0, "it was lost");
  });
  CHECK(found.failure == "");
}

TEST_CASE("a reader misses no close beside an event, and is told once") {
  const auto found = walk({.departures = 3}, [](execution& e) {
    reader r;
    e.thread([&] { r.read_all(); });
    e.thread([&] { r.close(); });
    e.thread([&] {
      r.arrives(reader::data);
      r.poll_once();
    });
    e.run();
    require(r.closed && r.queued.newest() == 0, "it was lost");
  });
  CHECK(found.failure == "");
}

TEST_CASE("a task that is taken out has one owner, who sees it as it was armed last") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    slot place;
    task_ctl task;
    plain<int> frame;
    e.thread([&] {
      for (int time = 0; time < 2; ++time) {
        frame.set(1);
        if (place.arm(task) && !place.withdraw(task)) return;
      }
      frame.set(1);
      static_cast<void>(place.arm(task));
    });
    e.thread([&] {
      if (place.event() != nullptr) frame.set(2);
    });
    e.thread([&] {
      if (place.evict() != nullptr) frame.set(3);
    });
    e.run();
  });
  CHECK(found.failure == "");
}

// What a closer does on a completion backend: it asks through the slot, and the holder waits for it
// before it goes on.
TEST_CASE("a task that is borrowed stays where it is until it is given back") {
  const auto found = walk({.departures = 5}, [](execution& e) {
    slot place;
    task_ctl task;
    plain<int> frame;
    bool asked = false;
    e.thread([&] {
      for (int time = 0; time < 2; ++time) {
        frame.set(1);  // Also: the one before may be gone.
        place.prepare();
        require(place.arm(task), "there was no event");
        place.release(task);
      }
      frame.set(2);
      if (asked) require(task.word.asked(parking_word::closed), "the question came too late");
    });
    e.thread([&] {
      task_ctl* borrowed = place.borrow();
      if (borrowed == nullptr) return;
      static_cast<void>(frame.get());
      borrowed->word.ask(parking_word::closed);
      asked = true;
      place.give_back(*borrowed);
    });
    e.run();
    require(place.evict() == nullptr, "the task was left in the slot");
  });
  CHECK(found.failure == "");
}

TEST_CASE("a holder on a completion backend and a closer do not miss each other") {
  const auto found = walk({.departures = 5}, [](execution& e) {
    poll_desc desc;
    task_ctl task;
    bool borrowed = false, saw = false;
    e.thread([&] {
      require(desc.at(direction::read).arm(task), "there was no event");
      saw = desc.access.is_closed();
    });
    e.thread([&] {
      desc.access.close();
      if (desc.at(direction::read).borrow() != nullptr) borrowed = true;
    });
    e.run();
    require(borrowed || saw, "both missed");
  });
  CHECK(found.failure == "");
}

TEST_CASE("an event of an earlier life of the descriptor latches nothing") {
  const auto found = walk({.departures = 5}, [](execution& e) {
    poll_desc desc;
    const auto before = desc.generation();
    e.thread([&] { desc.latch(before, cove::netpoll::hung_up); });
    e.thread([&] { desc.next_generation(); });
    e.run();
    require(desc.generation() == before + 1 && desc.latched() == 0, "it has latched");
  });
  CHECK(found.failure == "");
}

}  // namespace
