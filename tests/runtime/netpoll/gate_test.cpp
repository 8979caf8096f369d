#include "netpoll/gate.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace {

using cove::netpoll::direction;
using cove::netpoll::gate;
using entry = gate::entry;

TEST_CASE("each direction of a gate is taken by one at a time") {
  gate door;
  CHECK(door.enter(direction::read) == entry::entered);
  CHECK(door.is_taken(direction::read));
  CHECK_FALSE(door.is_taken(direction::write));
  CHECK(door.enter(direction::read) == entry::busy);
  CHECK(door.enter(direction::write) == entry::entered);
  CHECK(door.enter(direction::write) == entry::busy);
  CHECK_FALSE(door.leave(direction::read));
  CHECK_FALSE(door.is_taken(direction::read));
  CHECK(door.is_taken(direction::write));
  CHECK(door.enter(direction::read) == entry::entered);
  CHECK_FALSE(door.leave(direction::read));
  CHECK_FALSE(door.leave(direction::write));
}

TEST_CASE("any number may be inside a gate without a direction") {
  gate door;
  for (int i = 0; i < 1000; ++i) CHECK(door.enter() == entry::entered);
  CHECK(door.enter(direction::read) == entry::entered);
  CHECK(door.enter(direction::write) == entry::entered);
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(door.leave());
}

TEST_CASE("closing an empty gate shuts the descriptor at once, once") {
  gate door;
  CHECK_FALSE(door.is_closed());
  const gate::closing first = door.close();
  CHECK(first.first);
  CHECK(first.shut);
  CHECK(door.is_closed());
  const gate::closing second = door.close();
  CHECK_FALSE(second.first);
  CHECK_FALSE(second.shut);
}

TEST_CASE("an idle gate is closed by who asks for that, and a busy one is not") {
  gate door;
  CHECK(door.enter() == entry::entered);
  CHECK(door.close_idle() == entry::busy);
  CHECK_FALSE(door.is_closed());
  CHECK_FALSE(door.leave());
  CHECK(door.close_idle() == entry::entered);
  CHECK(door.is_closed());
  CHECK(door.enter() == entry::closed);
  CHECK(door.close_idle() == entry::closed);
  CHECK_FALSE(door.close().first);
}

TEST_CASE("nobody enters a closed gate") {
  gate door;
  CHECK(door.close().first);
  CHECK(door.enter() == entry::closed);
  CHECK(door.enter(direction::read) == entry::closed);
  CHECK(door.enter(direction::write) == entry::closed);
  CHECK_FALSE(door.is_taken(direction::read));
}

TEST_CASE("a closed gate is told to one who finds the direction taken, too") {
  gate door;
  CHECK(door.enter(direction::read) == entry::entered);
  CHECK(door.close().first);
  CHECK(door.enter(direction::read) == entry::closed);
  CHECK(door.leave(direction::read));
}

TEST_CASE("the last one out of a closed gate shuts the descriptor") {
  gate door;
  CHECK(door.enter(direction::read) == entry::entered);
  CHECK(door.enter(direction::write) == entry::entered);
  CHECK(door.enter() == entry::entered);
  const gate::closing closing = door.close();
  CHECK(closing.first);
  CHECK_FALSE(closing.shut);
  SUBCASE("a reader") {
    CHECK_FALSE(door.leave());
    CHECK_FALSE(door.leave(direction::write));
    CHECK(door.leave(direction::read));
  }
  SUBCASE("a writer") {
    CHECK_FALSE(door.leave(direction::read));
    CHECK_FALSE(door.leave());
    CHECK(door.leave(direction::write));
  }
  SUBCASE("one without a direction") {
    CHECK_FALSE(door.leave(direction::write));
    CHECK_FALSE(door.leave(direction::read));
    CHECK(door.leave());
  }
  // A second close changes nothing.
  CHECK_FALSE(door.close().first);
}

TEST_CASE("whoever comes second, shutting or letting go, recycles") {
  gate door;
  CHECK(door.close().shut);
  SUBCASE("the handle goes last") {
    CHECK_FALSE(door.shut_done());
    CHECK(door.let_go());
  }
  SUBCASE("the shutting comes last") {
    CHECK_FALSE(door.let_go());
    CHECK(door.shut_done());
  }
}

TEST_CASE("a gate that was reset is as new") {
  gate door;
  CHECK(door.close().shut);
  CHECK_FALSE(door.shut_done());
  CHECK(door.let_go());
  door.reset();
  CHECK_FALSE(door.is_closed());
  CHECK(door.enter(direction::read) == entry::entered);
  CHECK_FALSE(door.close().shut);
  CHECK(door.leave(direction::read));
  CHECK_FALSE(door.let_go());
  CHECK(door.shut_done());
}

TEST_CASE("one of many who use and close a gate at once shuts it, and one recycles") {
  for (int round = 0; round < 500; ++round) {
    gate door;
    std::atomic<int> closers{0}, shuts{0}, recyclings{0}, inside{0}, too_late{0};
    const auto shut = [&] {
      if (inside.load() != 0) ++too_late;
      ++shuts;
      if (door.shut_done()) ++recyclings;
    };
    const auto use = [&](direction d) {
      for (int i = 0; i < 20; ++i) {
        if (door.enter(d) == entry::entered) {
          ++inside;
          if (shuts.load() != 0) ++too_late;
          --inside;
          if (door.leave(d)) shut();
        }
        if (door.enter() == entry::entered) {
          ++inside;
          --inside;
          if (door.leave()) shut();
        }
      }
    };
    std::vector<std::thread> threads;
    threads.emplace_back(use, direction::read);
    threads.emplace_back(use, direction::write);
    threads.emplace_back([&] {
      const gate::closing now = door.close();
      if (now.first) ++closers;
      if (now.shut) shut();
      if (door.let_go()) ++recyclings;
    });
    for (std::thread& each : threads) each.join();
    CHECK(closers == 1);
    CHECK(shuts == 1);
    CHECK(recyclings == 1);
    CHECK(too_late == 0);
  }
}

}  // namespace
