#include "netpoll/waker.hpp"

#include <doctest/doctest.h>
#include <poll.h>

#include <atomic>
#include <thread>

namespace {

using cove::netpoll::waker;

/// What a level-triggered poller would see.
bool rings(const waker& bell) {
  pollfd line{bell.fd(), POLLIN, 0};
  return ::poll(&line, 1, 0) == 1;
}

TEST_CASE("a wake-up of a poller that is awake rings nothing, and is kept") {
  waker bell;
  CHECK_FALSE(bell.woken());
  bell.wake();
  bell.wake();
  CHECK(bell.woken());
  CHECK_FALSE(rings(bell));
  CHECK_FALSE(bell.block());
  // It was taken: the next wait may block.
  CHECK_FALSE(bell.woken());
  CHECK(bell.block());
  bell.unblock(false);
}

TEST_CASE("a wake-up of a blocked poller rings, once for many") {
  waker bell;
  CHECK(bell.block());
  CHECK_FALSE(rings(bell));
  bell.wake();
  CHECK(bell.woken());
  CHECK(rings(bell));
  bell.wake();
  bell.wake();
  bell.unblock(true);
  CHECK_FALSE(rings(bell));
  CHECK_FALSE(bell.woken());
}

TEST_CASE("a poller that returns for another reason is not woken later for nothing") {
  waker bell;
  CHECK(bell.block());
  bell.unblock(false);
  CHECK_FALSE(bell.woken());
  bell.wake();
  CHECK_FALSE(rings(bell));
  CHECK_FALSE(bell.block());
}

TEST_CASE("a ring that comes after the poller looked is taken by its next wait") {
  waker bell;
  CHECK(bell.block());
  bell.wake();
  bell.unblock(false);  // It returned because of something else.
  CHECK(rings(bell));
  CHECK(bell.block());
  CHECK(rings(bell));  // So this wait ends at once.
  bell.unblock(true);
  CHECK_FALSE(rings(bell));
}

TEST_CASE("no wake-up is lost between looking and blocking") {
  constexpr int messages = 20'000;
  waker bell;
  std::atomic<int> sent{0};
  bool in_vain = false;
  std::thread sender([&] {
    for (int i = 1; i <= messages; ++i) {
      sent.store(i);
      bell.wake();
      if (i % 16 == 0) std::this_thread::yield();
    }
  });
  int seen = 0;
  while (seen < messages && !in_vain) {
    if (bell.block()) {
      // The look after the announcement; a message that comes later rings.
      pollfd line{bell.fd(), POLLIN, 0};
      const int count = ::poll(&line, 1, 10'000);
      in_vain = count == 0 && sent.load() == seen;
      bell.unblock(count == 1);
    }
    seen = sent.load();
  }
  sender.join();
  CHECK_FALSE(in_vain);
  CHECK(seen == messages);
}

}  // namespace
