#include <cove/runtime/detail/atomic.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>

// The tests of the tester: what the memory model allows must be found, and nothing else.

namespace {

using cove::detail::atomic;
using cove::detail::thread_fence;
using stepping::execution;
using stepping::plain;
using stepping::require;
using stepping::walk;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

/// Can both of two threads that store and then load what the other stores miss each other?
template <class Between>
bool both_miss(std::memory_order stores, std::memory_order loads, Between between) {
  return !walk({}, [&](execution& e) {
            atomic<int> x{0}, y{0};
            int a = 1, b = 1;
            e.thread([&] { x.store(1, stores), between(0), a = y.load(loads); });
            e.thread([&] { y.store(1, stores), between(1), b = x.load(loads); });
            e.run();
            require(a == 1 || b == 1, "both missed");
          }).failure.empty();
}

TEST_CASE("a load overtakes a store unless both are seq_cst, or a fence stands between") {
  const auto nothing = [](int) {};
  CHECK(both_miss(relaxed, relaxed, nothing));
  CHECK(both_miss(release, acquire, nothing));
  CHECK(both_miss(seq_cst, acquire, nothing));
  CHECK(both_miss(release, seq_cst, nothing));
  CHECK_FALSE(both_miss(seq_cst, seq_cst, nothing));
  CHECK_FALSE(both_miss(relaxed, relaxed, [](int) { thread_fence(seq_cst); }));
  CHECK(both_miss(relaxed, relaxed, [](int) { thread_fence(acq_rel); }));
  CHECK(both_miss(relaxed, relaxed, [](int who) {
    if (who == 0) thread_fence(seq_cst);
  }));
}

TEST_CASE("a heavy fence is ordered with light ones, which are not ordered with each other") {
  const auto fences = [](int who) { who == 0 ? stepping::light_fence() : stepping::heavy_fence(); };
  CHECK_FALSE(both_miss(relaxed, relaxed, fences));
  CHECK(both_miss(relaxed, relaxed, [](int) { stepping::light_fence(); }));
  CHECK(both_miss(relaxed, relaxed, [](int who) {
    if (who == 1) stepping::heavy_fence();
  }));
}

TEST_CASE("an update of another place does not hold a load back, as it does on x86") {
  CHECK(both_miss(relaxed, relaxed, [&](int) {
    atomic<int> own{0};
    own.exchange(1, seq_cst);
  }));
}

/// Is a message read before it is written?
bool torn(std::memory_order stores, std::memory_order loads) {
  return !walk({}, [&](execution& e) {
            atomic<int> flag{0};
            plain<int> data;
            e.thread([&] { data.set(1), flag.store(1, stores); });
            e.thread([&] {
              if (flag.load(loads) == 1) require(data.get() == 1, "old");
            });
            e.run();
          }).failure.empty();
}

TEST_CASE("what was written before a release is seen behind an acquire") {
  CHECK_FALSE(torn(release, acquire));
  CHECK_FALSE(torn(seq_cst, seq_cst));
  CHECK(torn(relaxed, acquire));
  CHECK(torn(release, relaxed));
}

TEST_CASE("fences make relaxed accesses release and acquire") {
  for (const auto& [releasing, acquiring] : {std::pair{true, true}, {true, false}, {false, true}}) {
    const auto found = walk({}, [&](execution& e) {
      atomic<int> flag{0};
      plain<int> data;
      e.thread([&] {
        data.set(1);
        if (releasing) thread_fence(release);
        flag.store(1, relaxed);
      });
      e.thread([&] {
        const bool set = flag.load(relaxed) == 1;
        if (acquiring) thread_fence(acquire);
        if (set) require(data.get() == 1, "old");
      });
      e.run();
    });
    CHECK(found.failure.empty() == (releasing && acquiring));
  }
}

TEST_CASE("an update hands on what the store before it released, a store does not") {
  for (const bool updates : {true, false}) {
    const auto found = walk({}, [&](execution& e) {
      atomic<int> flag{0};
      plain<int> data;
      e.thread([&] { data.set(1), flag.store(1, release); });
      e.thread([&] {
        if (flag.load(relaxed) != 1) return;
        if (updates)
          flag.fetch_add(1, relaxed);
        else
          flag.store(2, relaxed);
      });
      e.thread([&] {
        if (flag.load(acquire) == 2) data.get();
      });
      e.run();
    });
    CHECK(found.failure.empty() == updates);
  }
}

TEST_CASE("two readers may disagree about two writers, but not in one total order") {
  for (const auto order : {acquire, seq_cst}) {
    const auto found = walk({.departures = 2}, [&](execution& e) {
      atomic<int> x{0}, y{0};
      int a = 0, b = 1, c = 0, d = 1;
      e.thread([&] { x.store(1, seq_cst); });
      e.thread([&] { y.store(1, seq_cst); });
      e.thread([&] { a = x.load(order), b = y.load(order); });
      e.thread([&] { c = y.load(order), d = x.load(order); });
      e.run();
      require(!(a == 1 && b == 0 && c == 1 && d == 0), "they disagree");
    });
    CHECK(found.failure.empty() == (order == seq_cst));
  }
}

TEST_CASE("a load stands behind what came before an update only where that was acquired") {
  for (const auto order : {relaxed, acquire}) {
    const auto found = walk({}, [&](execution& e) {
      atomic<int> x{0}, word{0};
      e.thread([&] { x.store(1, seq_cst), word.fetch_add(1, seq_cst); });
      e.thread([&] {
        if (word.fetch_add(1, order) == 1) require(x.load(seq_cst) == 1, "it is old");
      });
      e.run();
    });
    CHECK(found.failure.empty() == (order == acquire));
  }
}

TEST_CASE("a fence on one side and seq_cst on the other do not miss each other") {
  const auto found = walk({.departures = 5}, [](execution& e) {
    atomic<int> x{0}, y{0};
    int a = 1, b = 1;
    e.thread([&] { x.store(1, seq_cst), a = y.load(seq_cst); });
    e.thread([&] { y.store(1, relaxed), thread_fence(seq_cst), b = x.load(relaxed); });
    e.run();
    require(a == 1 || b == 1, "both missed");
  });
  CHECK(found.failure == "");
}

TEST_CASE("one place never goes back, and updates lose nothing") {
  const auto found = walk({.departures = 4}, [](execution& e) {
    atomic<int> count{0};
    const auto add = [&] { count.fetch_add(1, relaxed), count.fetch_add(1, relaxed); };
    e.thread(add);
    e.thread(add);
    e.thread([&] {
      const int first = count.load(relaxed);
      require(count.load(relaxed) >= first, "it went back");
    });
    e.run();
    require(count.newest() == 4, "lost");
  });
  CHECK(found.failure == "");
}

TEST_CASE("a lost update is found, with one departure and not with none") {
  const auto body = [](execution& e) {
    atomic<int> count{0};
    const auto add = [&] { count.store(count.load() + 1); };
    e.thread(add);
    e.thread(add);
    e.run();
    require(count.newest() == 2, "lost");
  };
  CHECK(walk({.departures = 0}, body).failure == "");
  CHECK(walk({.departures = 1}, body).failure.starts_with("lost\n"));
}

TEST_CASE("who waits for what never comes is found, and so is who spins for it") {
  for (const bool spins : {false, true}) {
    const auto found = walk({}, [&](execution& e) {
      atomic<int> word{0};
      e.thread([&] {
        if (!spins) return stepping::wait_until([&] { return word.newest() == 2; });
        while (word.load(relaxed) != 2) {
        }
      });
      e.thread([&] { word.store(1); });
      e.run();
    });
    CHECK(found.failure.starts_with("some wait for ever\n"));
  }
}

TEST_CASE("a weak exchange may fail for nothing, a strong one may not") {
  for (const bool weak : {false, true}) {
    const auto found = walk({}, [&](execution& e) {
      atomic<int> word{0};
      e.thread([&] {
        int expected = 0;
        require(weak ? word.compare_exchange_weak(expected, 1)
                     : word.compare_exchange_strong(expected, 1),
                "failed");
      });
      e.run();
    });
    CHECK(found.failure.empty() != weak);
  }
}

TEST_CASE("a race of plain data is found whichever access comes first") {
  for (const bool both_write : {false, true}) {
    const auto found = walk({.departures = 0}, [&](execution& e) {
      plain<int> data;
      e.thread([&] { both_write ? data.set(1) : static_cast<void>(data.get()); });
      e.thread([&] { data.set(2); });
      e.run();
    });
    CHECK(found.failure.find("races") != std::string::npos);
  }
}

}  // namespace
