#include "sched/parker.hpp"

#include <doctest/doctest.h>

#include <linux/futex.h>
#include <sys/syscall.h>

#include <cstdarg>
#include <cstdint>
#include <set>

// The parker over a futex of our own. The kernel compares and falls asleep in one step, and a time
// limit may end at any moment.

namespace {

using cove::sched::parker;
using stepping::execution;
using stepping::plain;
using stepping::require;
using stepping::walk;

using futex_word = cove::detail::atomic<std::uint32_t>;
std::set<const futex_word*> sleeping;

TEST_CASE("a token is not lost, and what was done before it is seen") {
  const auto found = walk({.departures = 6}, [](execution& e) {
    parker sleep;
    plain<int> work;
    e.thread([&] {
      sleep.park();
      require(work.get() == 1, "woken before the work was there");
    });
    e.thread([&] {
      work.set(1);
      sleep.unpark();
    });
    e.run();
  });
  CHECK(found.failure == "");
}

TEST_CASE("a token is not lost to a time limit that ends") {
  const auto found = walk({.departures = 6}, [](execution& e) {
    parker sleep;
    plain<int> work;
    e.thread([&] {
      if (!sleep.park_for(1)) sleep.park();
      require(work.get() == 1, "woken before the work was there");
    });
    e.thread([&] {
      work.set(1);
      sleep.unpark();
    });
    e.run();
  });
  CHECK(found.failure == "");
}

TEST_CASE("two threads wake each other by turns") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    parker first, second;
    plain<int> ball;
    e.thread([&] {
      for (int round = 0; round < 2; ++round) {
        ball.set(ball.get() + 1);
        second.unpark();
        first.park();
      }
      require(ball.get() == 4, "it was dropped");
    });
    e.thread([&] {
      for (int round = 0; round < 2; ++round) {
        second.park();
        ball.set(ball.get() + 1);
        first.unpark();
      }
    });
    e.run();
  });
  CHECK(found.failure == "");
}

TEST_CASE("two tokens at once are one, and none is left behind") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    parker sleep;
    cove::detail::atomic<int> given{0};
    const auto give = [&] {
      given.fetch_add(1, std::memory_order_relaxed);
      sleep.unpark();
    };
    e.thread([&] {
      while (given.load(std::memory_order_relaxed) != 2) sleep.park();
    });
    e.thread(give);
    e.thread(give);
    e.run();
  });
  CHECK(found.failure == "");
}

}  // namespace

/// Stands before the C library's.
extern "C" long syscall(long number, ...) noexcept {
  va_list arguments;
  va_start(arguments, number);
  auto* word = va_arg(arguments, futex_word*);
  const int what = va_arg(arguments, int);
  const auto expected = va_arg(arguments, std::uint32_t);
  const void* limit = va_arg(arguments, const void*);
  va_end(arguments);
  require(number == SYS_futex, "no futex");
  stepping::wait_until([] { return true; });  // Others may go first.
  if (what == FUTEX_WAKE_PRIVATE) return static_cast<long>(sleeping.erase(word));
  if (word->newest() != expected) return -1;
  sleeping.insert(word);
  if (limit == nullptr || !stepping::otherwise())
    stepping::wait_until([word] { return !sleeping.contains(word); });
  sleeping.erase(word);
  return 0;
}
