#include "netpoll/waker.hpp"

#include <doctest/doctest.h>

// The waker of a blocked poller, over an eventfd of our own. What it wakes for is stored relaxed,
// as in the run queues, so all order comes from the waker's word.

namespace {

cove::detail::atomic<int>* event_count = nullptr;  ///< Under the eventfd's lock in the kernel.

}  // namespace

cove::netpoll::waker::waker() : fd_(3) {}
cove::netpoll::waker::~waker() = default;
void cove::netpoll::waker::ring() noexcept { event_count->fetch_add(1, std::memory_order_acq_rel); }
void cove::netpoll::waker::drain() noexcept { event_count->exchange(0, std::memory_order_acq_rel); }

namespace {

using cove::detail::atomic;
using cove::netpoll::waker;
using stepping::execution;
using stepping::require;
using stepping::walk;

struct poller {
  waker bell;
  atomic<int> rings{0};
  atomic<int> left{0};  ///< Bit by bit, for the poller.

  poller() { event_count = &rings; }

  /// As epoll::wait().
  void wait() {
    if (!bell.block()) return;
    bool rung = true;
    // Something else may end the wait as well.
    if (!stepping::otherwise())
      stepping::wait_until([this] { return rings.newest() != 0; });
    else
      rung = rings.newest() != 0;
    bell.unblock(rung);
  }
  void wait_for(int all) {
    while (left.load(std::memory_order_relaxed) != all) wait();
  }
};

TEST_CASE("a poller that was woken sees what for") {
  const auto found = walk({.departures = 5}, [](execution& e) {
    poller p;
    e.thread([&] { p.wait_for(1); });
    e.thread([&] {
      p.left.store(1, std::memory_order_relaxed);
      p.bell.wake();
    });
    e.run();
  });
  CHECK(found.failure == "");
}

TEST_CASE("a poller that is woken twice, by one or by two, misses neither") {
  const auto found = walk({.departures = 3}, [](execution& e) {
    poller p;
    const auto bring = [&](int what) {
      p.left.fetch_or(what, std::memory_order_relaxed);
      p.bell.wake();
    };
    e.thread([&] { p.wait_for(3); });
    e.thread([&] { bring(1); });
    e.thread([&] { bring(2); });
    e.run();
  });
  CHECK(found.failure == "");
  const auto one = walk({.departures = 4}, [](execution& e) {
    poller p;
    e.thread([&] { p.wait_for(2); });
    e.thread([&] {
      for (const int what : {1, 2}) {
        p.left.store(what, std::memory_order_relaxed);
        p.bell.wake();
      }
    });
    e.run();
  });
  CHECK(one.failure == "");
}

TEST_CASE("a poller that has returned is not in use") {
  const auto found = walk({}, [](execution& e) {
    poller p;
    e.thread([&] {
      require(p.bell.block(), "woken by nobody");
      require(p.bell.in_use() && !p.bell.woken(), "it waits for nobody");
      p.bell.unblock(false);
      require(!p.bell.in_use(), "it is thought to wait still");
    });
    e.run();
  });
  CHECK(found.failure == "");
}

TEST_CASE("who was woken before it looks is told so") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    poller p;
    e.thread([&] {
      p.left.store(1, std::memory_order_relaxed);
      p.bell.wake();
    });
    e.thread([&] {
      if (p.bell.woken()) require(p.left.load(std::memory_order_relaxed) == 1, "woken for nothing");
    });
    e.run();
    require(p.bell.woken() && p.bell.in_use(), "the wake-up is gone");
  });
  CHECK(found.failure == "");
}

}  // namespace
