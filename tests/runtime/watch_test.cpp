#include <cove/runtime/watch.hpp>

#include "support/runtime_test.hpp"

#include <string>
#include <vector>

namespace {

using cove::join_handle;
using cove::spawn;
using cove::task;
using cove::watch;
using cove::watch_receiver;
using cove::test::plain_options;
using cove::test::run_in;

/// The last value seen when the watch was closed; -1 if values went backwards.
task<int> follow(watch_receiver<int> in) {
  int last = in.get();
  for (;;) {
    const bool more = co_await in.changed();
    if (!more) co_return last;
    const int now = in.get();
    if (now < last) co_return -1;
    last = now;
  }
}

TEST_CASE("a watch gives the latest value, and tells that it changed") {
  run_in(plain_options(1), []() -> task<> {
    watch<std::string> name("first");
    CHECK(name.get() == "first");
    auto receiver = name.subscribe();
    CHECK(receiver.get() == "first");
    name.set("second");
    name.set("third");
    bool changed = co_await receiver.changed();
    CHECK(changed);
    CHECK(receiver.get() == "third");
    constexpr std::chrono::milliseconds limit(1);
    auto nothing = co_await cove::with_timeout(receiver.changed().as_result(), limit);
    CHECK(nothing.error() == std::errc::timed_out);
  });
}

TEST_CASE("a value that was read counts as seen, and so does one before subscribing") {
  run_in(plain_options(1), []() -> task<> {
    watch<int> value(1);
    value.set(2);
    auto receiver = value.subscribe();
    constexpr std::chrono::milliseconds limit(1);
    auto none = co_await cove::with_timeout(receiver.changed().as_result(), limit);
    CHECK(none.error() == std::errc::timed_out);
    value.set(3);
    CHECK(receiver.get() == 3);
    auto seen = co_await cove::with_timeout(receiver.changed().as_result(), limit);
    CHECK(seen.error() == std::errc::timed_out);
  });
}

TEST_CASE("M16 a watch that closes tells of the last change, then of the end") {
  run_in(plain_options(1), []() -> task<> {
    watch<int> value(1);
    auto receiver = value.subscribe();
    auto following = spawn(follow, value.subscribe());
    co_await cove::this_task::yield();
    value.set(2);
    value.close();
    CHECK_THROWS_AS(value.set(3), cove::error);
    bool changed = co_await receiver.changed();
    CHECK(changed);
    CHECK(receiver.get() == 2);
    changed = co_await receiver.changed();
    CHECK(!changed);
    const int last = co_await following;
    CHECK(last == 2);
    CHECK(value.get() == 2);
  });
}

TEST_CASE("a thread watches what tasks change") {
  run_in(plain_options(1), []() -> task<> {
    watch<int> value(0);
    auto receiver = value.subscribe();
    int last = 0;
    std::thread watcher([&receiver, &last] {
      while (receiver.changed_blocking()) last = receiver.get();
    });
    for (int i = 1; i <= 50; ++i) {
      value.set(i);
      co_await cove::this_task::yield();
    }
    value.close();
    watcher.join();
    CHECK(last == 50);
  });
}

TEST_CASE("M16 who watches sees the last value, whoever is cancelled meanwhile") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), []() -> task<> {
      constexpr int changes = 2000;
      watch<int> value(0);
      std::vector<join_handle<int>> following;
      for (int i = 0; i < 12; ++i) following.push_back(spawn(follow, value.subscribe()));
      for (int i = 1; i <= changes; ++i) {
        value.set(i);
        if (i % 7 == 0) co_await cove::this_task::yield();
        if (i % 400 == 0) following[static_cast<std::size_t>(i / 400)].cancel();
      }
      value.close();
      for (auto& each : following) {
        auto ended = co_await each.as_result();
        if (ended) CHECK(*ended == changes);
      }
    });
  }
}

}  // namespace
