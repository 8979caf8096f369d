#include <cove/runtime/broadcast.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <vector>

namespace {

using cove::broadcast;
using cove::broadcast_receiver;
using cove::join_handle;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

/// What one receiver heard, and how much it missed.
struct heard {
  int sum = 0;
  std::uint64_t count = 0;
  std::uint64_t lost = 0;
  bool in_order = true;
};

task<heard> listen(broadcast_receiver<int> from) {
  heard all;
  int last = -1;
  for (;;) {
    auto each = co_await from.receive();
    if (!each) co_return all;
    all.sum += each->value;
    ++all.count;
    all.lost += each->lost;
    all.in_order = all.in_order && each->value == last + 1 + static_cast<int>(each->lost);
    last = each->value;
  }
}

TEST_CASE("M16 each receiver of a broadcast gets each message, from where it subscribed") {
  run_in(plain_options(1), []() -> task<> {
    broadcast<int> numbers(8);
    numbers.send(100);  // Before anybody listens.
    std::vector<join_handle<heard>> listening;
    for (int i = 0; i < 2; ++i) listening.push_back(spawn(listen, numbers.subscribe()));
    co_await cove::this_task::yield();
    for (int i = 0; i < 5; ++i) numbers.send(i);
    numbers.close();
    for (auto& each : listening) {
      const heard all = co_await each;
      CHECK(all.sum == 10);
      CHECK(all.count == 5);
      CHECK(all.lost == 0);
    }
    CHECK_THROWS_AS(numbers.send(6), cove::error);
    CHECK(numbers.closed());
  });
}

TEST_CASE("a receiver that lags is told how many messages it has lost") {
  run_in(plain_options(1), []() -> task<> {
    broadcast<int> numbers(3);
    auto slow = numbers.subscribe();
    for (int i = 0; i < 10; ++i) numbers.send(i);
    auto copy = slow;
    auto seventh = co_await slow.receive();
    CHECK(seventh->value == 7);
    CHECK(seventh->lost == 7);
    auto eighth = slow.try_receive();
    CHECK(eighth->value == 8);
    CHECK(eighth->lost == 0);
    auto again = copy.try_receive();
    CHECK(again->value == 7);
    numbers.close();
    auto ninth = co_await slow.receive();
    CHECK(ninth->value == 9);
    auto end = co_await slow.receive();
    CHECK(!end);
    CHECK(!slow.try_receive());
  });
}

TEST_CASE("K17 a receive of a broadcast that is broken off loses nothing") {
  run_in(plain_options(1), []() -> task<> {
    broadcast<int> numbers(3);
    auto receiver = numbers.subscribe();
    constexpr std::chrono::milliseconds limit(1);
    auto none = co_await cove::with_timeout(receiver.receive().as_result(), limit);
    CHECK(none.error() == std::errc::timed_out);
    auto listening = spawn(listen, numbers.subscribe());
    co_await cove::this_task::yield();
    listening.cancel();
    auto ended = co_await listening.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    numbers.send(1);
    auto got = co_await receiver.receive();
    CHECK(got->value == 1);
    CHECK(got->lost == 0);
  });
}

TEST_CASE("messages go when nobody can read them any more") {
  const auto value = std::make_shared<int>(1);
  {
    broadcast<std::shared_ptr<int>> values(2);
    for (int i = 0; i < 5; ++i) values.send(value);
    CHECK(value.use_count() == 3);
  }
  CHECK(value.use_count() == 1);
}

/// Throws when it is copied and told so.
struct fragile {
  explicit fragile(bool* breaks) noexcept : breaks_(breaks) {}
  fragile(const fragile& other) : breaks_(other.breaks_) {
    if (*breaks_) throw std::bad_alloc();
  }
  fragile(fragile&&) noexcept = default;

  bool* breaks_;
};

TEST_CASE("a message whose copy throws comes again") {
  run_in(plain_options(1), []() -> task<> {
    bool breaks = true;
    broadcast<fragile> values(1);
    auto receiver = values.subscribe();
    values.send(fragile(&breaks));
    bool threw = false;
    try {
      static_cast<void>(co_await receiver.receive());
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    CHECK(threw);
    breaks = false;
    auto got = co_await receiver.receive();
    CHECK(got->lost == 0);
  });
}

TEST_CASE("a thread hears a broadcast of a task") {
  run_in(plain_options(1), []() -> task<> {
    broadcast<int> numbers(100);
    auto receiver = numbers.subscribe();
    int sum = 0;
    std::thread listener([&receiver, &sum] {
      while (auto each = receiver.receive_blocking()) sum += each->value;
    });
    for (int i = 0; i < 50; ++i) {
      numbers.send(i);
      co_await cove::this_task::yield();
    }
    numbers.close();
    listener.join();
    CHECK(sum == 1225);
  });
}

TEST_CASE("M16 received and lost make all, whoever is cancelled and however slow") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), []() -> task<> {
      constexpr int messages = 2000;
      broadcast<int> numbers(16);
      std::vector<join_handle<heard>> listening;
      for (int i = 0; i < 12; ++i) listening.push_back(spawn(listen, numbers.subscribe()));
      for (int i = 0; i < messages; ++i) {
        numbers.send(i);
        if (i % 7 == 0) co_await cove::this_task::yield();
        if (i % 400 == 0) listening[static_cast<std::size_t>(2 * i / 400)].cancel();
      }
      numbers.close();
      for (auto& each : listening) {
        auto ended = co_await each.as_result();
        if (!ended) continue;
        CHECK(ended->count + ended->lost == messages);
        CHECK(ended->in_order);
      }
    });
  }
}

}  // namespace
