#include "netpoll/gate.hpp"

#include <doctest/doctest.h>

// The gate of a descriptor: whoever is last out of a closed one gives the number back to the
// system, once, and sees all that was done with it; whoever comes second after that, the end of the
// handle or the shutting, recycles.

namespace {

using cove::netpoll::direction;
using cove::netpoll::gate;
using stepping::execution;
using stepping::plain;
using stepping::require;
using stepping::walk;

struct descriptor {
  gate access;
  plain<int> fd{3};       ///< Used by who is inside, written by who shuts.
  plain<int> drained{0};  ///< The holder of the read direction.
  plain<int> kept{0};     ///< What belongs to the handle, until somebody recycles.
  int shut_times = 0;
  int recycled_times = 0;

  void read() {
    if (access.enter(direction::read) != gate::entry::entered) return;
    require(fd.get() == 3, "used when it was shut");
    drained.set(drained.get() + 1);
    if (access.leave(direction::read)) shut();
  }
  void use() {
    if (access.enter() != gate::entry::entered) return;
    require(fd.get() == 3, "used when it was shut");
    if (access.leave()) shut();
  }
  void close() {
    if (access.close().shut) shut();
  }
  void let_go() {
    kept.set(1);
    if (access.let_go()) recycle();
  }
  void shut() {
    fd.set(-1);
    ++shut_times;
    if (access.shut_done()) recycle();
  }
  void recycle() {
    require(fd.get() == -1, "recycled before it was shut");
    kept.set(0);
    fd.set(3);
    ++recycled_times;
  }
  void check() {
    require(shut_times == 1, "it was not shut once");
    require(recycled_times == 1, "it was not recycled once");
  }
};

TEST_CASE("the last one out of a closed gate shuts, and the handle's end recycles") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    descriptor d;
    e.thread([&] { d.read(); });
    e.thread([&] { d.use(); });
    e.thread([&] {
      d.close();
      d.let_go();
    });
    e.run();
    d.check();
  });
  CHECK(found.failure == "");
}

TEST_CASE("of two who close one shuts, however many are inside") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    descriptor d;
    e.thread([&] { d.read(); });
    e.thread([&] { d.close(); });
    e.thread([&] {
      d.close();
      d.let_go();
    });
    e.run();
    d.check();
  });
  CHECK(found.failure == "");
}

TEST_CASE("a direction has one holder, who sees what the one before left") {
  const auto found = walk({.departures = 5}, [](execution& e) {
    descriptor d;
    const auto twice = [&] {
      d.read();
      d.read();
    };
    e.thread(twice);
    e.thread(twice);
    e.run();
    require(!d.access.is_taken(direction::read), "it is taken for good");
  });
  CHECK(found.failure == "");
}

TEST_CASE("nobody enters a gate that he has seen closed") {
  const auto found = walk({.departures = 5}, [](execution& e) {
    descriptor d;
    e.thread([&] { d.close(); });
    e.thread([&] {
      if (!d.access.is_closed()) return;
      require(d.access.enter() == gate::entry::closed, "entered");
      require(d.access.enter(direction::write) == gate::entry::closed, "entered");
      require(!d.access.close().first, "it was closed twice");
    });
    e.run();
    require(d.shut_times == 1, "it was not shut once");
  });
  CHECK(found.failure == "");
}

}  // namespace
