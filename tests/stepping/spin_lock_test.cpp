#include <cove/runtime/detail/spin_lock.hpp>

#include <doctest/doctest.h>

// The spin lock: one at a time, and each sees what the one before did.

namespace {

using cove::detail::spin_guard;
using cove::detail::spin_lock;
using stepping::execution;
using stepping::plain;
using stepping::require;
using stepping::walk;

TEST_CASE("who has the lock is alone, however it was taken") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    spin_lock lock;
    plain<int> count;
    int refused = 0;
    const auto waits = [&] {
      const spin_guard guard(lock);
      count.set(count.get() + 1);
    };
    e.thread(waits);
    e.thread(waits);
    e.thread([&] {
      if (!lock.try_lock()) return static_cast<void>(++refused);
      count.set(count.get() + 1);
      lock.unlock();
    });
    e.run();
    require(count.get() + refused == 3, "one got lost");
    require(lock.try_lock(), "it was left locked");
  });
  CHECK(found.failure == "");
}

}  // namespace
