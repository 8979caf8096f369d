#include "support/stream_test.hpp"

#include <algorithm>

// Sticky deadlines: from a moment on everything fails in one direction, until the moment is moved.
// Where a test has to know that a moment has passed, another connection whose deadline is later
// says so.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::clock;
using cove::task;
using cove::net::tcp_listener;
using cove::net::tcp_stream;

constexpr auto never = clock::time_point::max();

clock::time_point deadline_if(bool any, clock::duration after) {
  return any ? clock::now() + after : never;
}
clock::time_point past() { return clock::now() - 1s; }

task<std::error_code> accept_one(tcp_listener* listener) {
  co_return (co_await listener->accept().as_result()).error();
}

/// Ends when the clock has passed `when`, by way of another connection.
task<> until_passed(clock::time_point when) {
  auto [stream, peer] = co_await make_link();
  stream.set_read_deadline(when);
  std::array<std::byte, 1> buffer;
  const auto got = co_await stream.read_some(buffer).as_result();
  CHECK(got.error == cove::errc::deadline_exceeded);
  CHECK(clock::now() >= when);
}

/// Every way to read says that the deadline has passed, and takes nothing.
task<> check_reads_refused(tcp_stream& stream) {
  std::array<std::byte, 5> buffer{};
  const auto some = co_await stream.read_some(buffer).as_result();
  CHECK(some.error == cove::errc::deadline_exceeded);
  CHECK(some.n == 0);
  const auto exact = co_await stream.read_exact(buffer).as_result();
  CHECK(exact.error == cove::errc::deadline_exceeded);
  CHECK(exact.n == 0);
  const auto seen = co_await stream.peek(buffer).as_result();
  CHECK(seen.error == cove::errc::deadline_exceeded);
  const auto lent = co_await stream.receive().as_result();
  CHECK(lent.error() == cove::errc::deadline_exceeded);
  const auto ready = co_await stream.wait_readable().as_result();
  CHECK(ready.error() == cove::errc::deadline_exceeded);
  CHECK(stream.try_read(buffer).error == cove::errc::deadline_exceeded);
  CHECK(buffer == std::array<std::byte, 5>{});
}

task<> check_writes_refused(tcp_stream& stream) {
  const auto some = co_await stream.write_some(bytes_of("no")).as_result();
  CHECK(some.error == cove::errc::deadline_exceeded);
  const auto all = co_await stream.write_all(bytes_of("no")).as_result();
  CHECK(all.error == cove::errc::deadline_exceeded);
  CHECK(all.n == 0);
  CHECK(stream.try_write(bytes_of("no")).error == cove::errc::deadline_exceeded);
}

std::size_t timers() { return cove::runtime::current()->stats().timers; }

}  // namespace

TEST_CASE("K09 behind a read deadline every read fails at once and takes nothing") {
  run_test([]() -> task<> {
    for (const bool was_awaited : no_and_yes) {
      auto [stream, peer] = co_await make_link();
      if (was_awaited) co_await check_link(stream, peer);
      peer.send("there");
      stream.set_read_deadline(past());
      co_await check_reads_refused(stream);
      stream.set_read_deadline(never);
      std::array<std::byte, 5> buffer;
      co_await stream.read_exact(buffer);
      CHECK(text_of(buffer) == "there");
      co_await check_link(stream, peer);
    }
  });
}

TEST_CASE("K09 a deadline is for its direction, and set_deadline for both") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    stream.set_read_deadline(past());
    co_await stream.write_all(bytes_of("out"));
    const received out = co_await peer.receive(3);
    CHECK(out.bytes == "out");
    stream.set_read_deadline(never);
    stream.set_write_deadline(past());
    peer.send("in");
    std::array<std::byte, 2> buffer;
    co_await stream.read_exact(buffer);
    CHECK(text_of(buffer) == "in");
    co_await check_writes_refused(stream);
    stream.set_deadline(past());
    co_await check_reads_refused(stream);
    co_await check_writes_refused(stream);
    stream.set_deadline(never);
    co_await check_link(stream, peer);
  });
}

TEST_CASE("K10 a deadline in the past, from a task or a thread, ends the read that waits") {
  run_test([]() -> task<> {
    for (const bool before : no_and_yes) {
      for (const bool by_thread : no_and_yes) {
        auto [stream, peer] = co_await make_link();
        if (before) stream.set_read_deadline(clock::now() + 1h);
        std::array<std::byte, 8> buffer{};
        auto reading = cove::spawn(fill, &stream, std::span<std::byte>(buffer));
        co_await until_waiting("read_exact");
        peer.send("abc");
        co_await until_taken(stream, peer);
        CHECK_FALSE(reading.done());
        if (by_thread)
          std::thread([&to = stream] { to.set_read_deadline(past()); }).join();
        else
          stream.set_read_deadline(past());
        const cove::io_result got = co_await reading;
        CHECK(got.error == cove::errc::deadline_exceeded);
        CHECK(got.n == 3);
        stream.set_read_deadline(never);
        co_await check_link(stream, peer);
      }
    }
  });
}

TEST_CASE("K10 a deadline that is moved earlier while a read waits ends it then, and not before") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer{};
    for (const bool had_one : no_and_yes) {
      stream.set_read_deadline(deadline_if(had_one, 1h));
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
      co_await until_waiting("read_some");
      const auto when = clock::now() + 10ms;
      stream.set_read_deadline(when);
      const cove::io_result got = co_await reading;
      CHECK(got.error == cove::errc::deadline_exceeded);
      CHECK(clock::now() >= when);
    }
  });
}

TEST_CASE("K11 a deadline moved later or cleared while a read waits does not end it early") {
  run_test([]() -> task<> {
    for (const bool clear : no_and_yes) {
      for (bool in_time = false; !in_time;) {
        auto [stream, peer] = co_await make_link();
        stream.set_read_deadline(clock::now() + 1h);
        std::array<std::byte, 2> buffer{};
        auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
        co_await until_waiting("read_some");
        const auto first = clock::now() + 20ms;
        stream.set_read_deadline(first);
        for (int turns = 0; turns < 20; ++turns) co_await cove::this_task::yield();
        stream.set_read_deadline(deadline_if(!clear, 1h));
        in_time = clock::now() < first;
        co_await until_passed(first + 1ms);
        if (in_time) CHECK_FALSE(reading.done());
        peer.send("ok");
        const cove::io_result got = co_await reading;
        if (in_time) CHECK_FALSE(got.error);
        if (in_time) CHECK(text_of(buffer) == "ok");
      }
    }
  });
}

TEST_CASE("K12 a deadline that has passed fails each operation until it is moved later") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    for (int round = 0; round < 3; ++round) {
      stream.set_deadline(clock::now() + 2ms);
      std::array<std::byte, 8> buffer;
      const auto waited = co_await stream.read_some(buffer).as_result();
      CHECK(waited.error == cove::errc::deadline_exceeded);
      for (int again = 0; again < 3; ++again) {
        co_await check_reads_refused(stream);
        co_await check_writes_refused(stream);
      }
      stream.set_deadline(deadline_if(round % 2 != 0, 1h));
      co_await check_link(stream, peer);
    }
    try {
      stream.set_read_deadline(past());
      std::array<std::byte, 8> buffer;
      co_await stream.read_some(buffer);
      FAIL("it read");
    } catch (const cove::io_error& late) {
      CHECK(late.code() == cove::errc::deadline_exceeded);
      CHECK(late.code() == std::errc::timed_out);
      CHECK(late.transferred() == 0);
    }
  });
}

TEST_CASE(
    "K13 a write that its deadline ends says how many bytes went, and the next follows them") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(3'000'000);
    stream.set_write_deadline(clock::now() + 10ms);
    const cove::io_result written = co_await stream.write_all(bytes_of(all)).as_result();
    CHECK(written.error == cove::errc::deadline_exceeded);
    CHECK(written.n > 0);
    CHECK(written.n < all.size());
    co_await check_writes_refused(stream);
    stream.set_write_deadline(never);
    auto next = cove::spawn(write_whole, &stream, std::string_view("and on"));
    const received got = co_await peer.receive(written.n + 6);
    CHECK((got.bytes == all.substr(0, written.n) + "and on"));
    const cove::io_result last = co_await next;
    CHECK_FALSE(last.error);
  });
}

TEST_CASE("K14 one deadline for both directions cuts a long exchange, on one worker and on many") {
  const auto exchange = [](tcp_stream* stream, bool serves, clock::time_point when) -> task<> {
    stream->set_deadline(when);
    std::vector<std::byte> buffer(4096);
    cove::io_result last;
    if (!serves) last = co_await stream->write_all(buffer).as_result();
    while (!last.error) {
      last = co_await stream->read_exact(buffer).as_result();
      if (!last.error) last = co_await stream->write_all(buffer).as_result();
    }
    CHECK(last.error == cove::errc::deadline_exceeded);
    CHECK(clock::now() >= when);
  };
  for (const unsigned workers : {1U, 4U}) {
    cove::runtime_options options;
    options.workers = workers;
    run_test(
        [exchange]() -> task<> {
          const auto when = clock::now() + 30ms;
          std::vector<stream_pair> pairs;
          std::vector<cove::join_handle<>> parties;
          for (int i = 0; i < 8; ++i) pairs.push_back(co_await make_streams());
          for (stream_pair& each : pairs) {
            parties.push_back(cove::spawn(exchange, &each.near, false, when));
            parties.push_back(cove::spawn(exchange, &each.far, true, when));
          }
          for (auto& each : parties) co_await each;
        },
        options);
  }
}

TEST_CASE("K14 a deadline ends a write that the peer takes as fast as it comes") {
  run_test([]() -> task<> {
    auto [stream, far] = co_await make_streams();
    const auto drain = [](tcp_stream* from) -> task<> {
      std::vector<std::byte> room(1 << 20);
      while (co_await from->read_some(room) != 0) {
      }
    };
    auto draining = cove::spawn(drain, &far);
    const std::string part = pattern(1 << 20);
    const std::vector<cove::io::const_buffer> endless(100'000, bytes_of(part));
    const auto when = clock::now() + 20ms;
    stream.set_write_deadline(when);
    const auto written =
        co_await stream.write_all(std::span<const cove::io::const_buffer>(endless)).as_result();
    CHECK(written.error == cove::errc::deadline_exceeded);
    CHECK(clock::now() >= when);
    stream.abort();
    const auto ended = co_await draining.as_result();
    CHECK(ended.error());
  });
}

TEST_CASE("K14 of many reads none ends before its own deadline") {
  run_test([]() -> task<> {
    const auto wait = [](clock::duration time) -> task<> {
      auto [stream, peer] = co_await make_link();
      const auto when = clock::now() + time;
      stream.set_read_deadline(when);
      std::array<std::byte, 1> buffer;
      const auto got = co_await stream.read_some(buffer).as_result();
      CHECK(got.error == cove::errc::deadline_exceeded);
      CHECK(clock::now() >= when);
    };
    std::vector<cove::join_handle<>> all;
    for (clock::duration time = 1ns; time < 40ms; time = time * 2 + 1ns)
      for (int i = 0; i < 3; ++i) all.push_back(cove::spawn(wait, time));
    for (auto& each : all) co_await each;
  });
}

TEST_CASE(
    "K15 closing right after a deadline ended a read is clean, and what comes late is ignored") {
  run_test([]() -> task<> {
    for (int i = 0; i < 20; ++i) {
      auto [stream, peer] = co_await make_link();
      stream.set_deadline(clock::now() + 500us);
      std::array<std::byte, 8> buffer{};
      const auto got = co_await stream.read_some(buffer).as_result();
      CHECK(got.error == cove::errc::deadline_exceeded);
      peer.send("late");
      const std::error_code ended = co_await stream.close();
      CHECK_FALSE(ended);
      CHECK(buffer == std::array<std::byte, 8>{});
    }
  });
}

TEST_CASE("K15 a deadline of a closed connection does not touch the one that comes after it") {
  run_test([]() -> task<> {
    auto [first, first_peer] = co_await make_link();
    for (int i = 0; i < 200; ++i) {
      // Its poll descriptor is the one that the last round gave back.
      auto [stream, peer] = co_await make_link();
      std::array<std::byte, 8> buffer{};
      stream.set_read_deadline(deadline_if(i % 2 == 0, 200us));
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
      if (i % 2 == 0) {
        for (int turns = i % 7; turns > 0; --turns) co_await cove::this_task::yield();
        co_await stream.close();
        const cove::io_result ended = co_await reading;
        const bool fits =
            ended.error == cove::errc::closed || ended.error == cove::errc::deadline_exceeded;
        CHECK(fits);
      } else {
        co_await until_passed(clock::now() + 300us);
        peer.send("12345678");
        const cove::io_result got = co_await reading;
        CHECK_FALSE(got.error);
      }
    }
    CHECK(timers() == 0);
  });
}

TEST_CASE("L12 a listener's deadline ends the accepts that wait and fails later ones") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    const auto when = clock::now() + 10ms;
    listener.set_deadline(when);
    std::vector<cove::join_handle<std::error_code>> waiting;
    for (int i = 0; i < 5; ++i) waiting.push_back(cove::spawn(accept_one, &listener));
    for (auto& each : waiting) {
      const std::error_code why = co_await each;
      CHECK(why == cove::errc::deadline_exceeded);
    }
    CHECK(clock::now() >= when);
    raw_peer peer = raw_peer::connect(listener.local_address());
    for (int i = 0; i < 3; ++i) {
      const auto refused = co_await listener.accept().as_result();
      CHECK(refused.error() == cove::errc::deadline_exceeded);
    }
    listener.set_deadline(never);
    const auto made = co_await listener.accept().as_result();
    REQUIRE(made.has_value());
    CHECK(made->peer_address() == peer.local_address());
  });
}

TEST_CASE("L12 moving a listener's deadline reaches the accepts that wait") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    listener.set_deadline(past());
    const std::error_code before = co_await accept_one(&listener);
    CHECK(before == cove::errc::deadline_exceeded);
    listener.set_deadline(clock::now() + 1h);
    std::array<cove::join_handle<std::error_code>, 3> waiting;
    for (auto& each : waiting) each = cove::spawn(accept_one, &listener);
    co_await until_waiting("accept", 3);
    for (int turns = 0; turns < 20; ++turns) {
      listener.set_deadline(clock::now() + 1h + (turns % 3) * 1min);
      co_await cove::this_task::yield();
    }
    for (const auto& each : waiting) CHECK_FALSE(each.done());
    raw_peer peer = raw_peer::connect(listener.local_address());
    const auto served = [&waiting] {
      return std::ranges::count_if(waiting, [](const auto& each) { return each.done(); });
    };
    co_await until([&] { return served() > 0; });
    CHECK(served() == 1);
    listener.set_deadline(past());
    int ended = 0;
    for (auto& each : waiting) {
      const std::error_code why = co_await each;
      if (why == cove::errc::deadline_exceeded) ++ended;
    }
    CHECK(ended == 2);
  });
}

TEST_CASE("K18 of a limit and a sticky deadline the earlier ends the read, once") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer;
    stream.set_read_deadline(clock::now() + 1h);
    auto limited = cove::with_timeout(stream.read_some(buffer).as_result(), 2ms);
    const auto by_limit = co_await std::move(limited);
    CHECK(by_limit.error == cove::errc::deadline_exceeded);
    stream.set_read_deadline(clock::now() + 2ms);
    auto sticky = cove::with_timeout(stream.read_some(buffer).as_result(), 1h);
    const auto by_deadline = co_await std::move(sticky);
    CHECK(by_deadline.error == cove::errc::deadline_exceeded);
    for (int i = 0; i < 100; ++i) {
      const auto when = clock::now() + 100us;
      stream.set_read_deadline(when);
      auto both = cove::with_deadline(stream.read_some(buffer).as_result(), when);
      const auto got = co_await std::move(both);
      CHECK(got.error == cove::errc::deadline_exceeded);
      CHECK(got.n == 0);
    }
    stream.set_read_deadline(never);
    co_await check_link(stream, peer);
  });
}

TEST_CASE("K18 a limit and a deadline that passed while nobody looked go before data") {
  cove::runtime_options options;
  options.workers = 1;
  run_test(
      []() -> task<> {
        for (const bool sticky : no_and_yes) {
          auto [stream, peer] = co_await make_link();
          std::array<std::byte, 4> buffer{};
          // One worker: nobody looks at timers or the network between here and the next await.
          const auto when = clock::now() + 200us;
          if (sticky) stream.set_read_deadline(when);
          peer.send("data");
          while (clock::now() < when) {
          }
          auto limited = cove::with_deadline(stream.read_some(buffer).as_result(), when);
          const auto got = co_await std::move(limited);
          CHECK(got.error == cove::errc::deadline_exceeded);
          CHECK(got.n == 0);
          stream.set_read_deadline(never);
          co_await stream.read_exact(buffer);
          CHECK(text_of(buffer) == "data");
        }
      },
      options);
}

TEST_CASE("K17 closed goes before cancelled, and that before a deadline") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    stream.set_deadline(past());
    const auto body = [](tcp_stream* on) -> task<> {
      try {
        co_await cove::this_task::sleep_for(1h);
      } catch (const cove::canceled&) {
      }
      std::array<std::byte, 8> buffer;
      const auto got = co_await on->read_some(buffer).as_result();
      CHECK(got.error == std::errc::operation_canceled);
      co_await on->close();
      const auto closed = co_await on->read_some(buffer).as_result();
      CHECK(closed.error == cove::errc::closed);
    };
    auto running = cove::spawn(body, &stream);
    co_await until_waiting("sleep");
    running.cancel();
    co_await running;
  });
}

TEST_CASE("K05 a deadline of a closed stream or listener is refused with closed") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    co_await stream.close();
    auto listener = tcp_listener::bind("127.0.0.1:0");
    co_await listener.close();
    tcp_stream never_open;
    int refused = 0;
    const auto expect_closed = [&refused](auto call) {
      try {
        call();
      } catch (const cove::error& failure) {
        if (failure.code() == cove::errc::closed) ++refused;
      }
    };
    expect_closed([&] { stream.set_read_deadline(never); });
    expect_closed([&] { stream.set_write_deadline(past()); });
    expect_closed([&] { listener.set_deadline(past()); });
    expect_closed([&] { never_open.set_deadline(past()); });
    CHECK(refused == 4);
  });
}

TEST_CASE("K11 moving a deadline later, however often, wakes nobody and sets no further timer") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    stream.set_read_deadline(clock::now() + 1h);
    std::array<std::byte, 1> buffer{};
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    CHECK(timers() == 1);
    const std::uint64_t runs = cove::runtime::current()->stats().task_runs;
    for (int i = 0; i < 10'000; ++i) stream.set_read_deadline(clock::now() + 1h);
    CHECK(timers() == 1);
    CHECK(cove::runtime::current()->stats().task_runs == runs);
    peer.send("x");
    const cove::io_result got = co_await reading;
    CHECK_FALSE(got.error);
    // Nor does an operation set one, or a move while nobody waits.
    for (int i = 0; i < 1000; ++i) {
      stream.set_deadline(clock::now() + std::chrono::hours(1 + i % 2));
      co_await check_link(stream, peer);
    }
    CHECK(timers() <= 2);
    co_await stream.close();
    CHECK(timers() == 0);
  });
}

TEST_CASE("K06 a stream with deadlines may outlive its runtime") {
  const same_descriptors outside;
  raw_peer peer;
  tcp_stream stream;
  {
    cove::runtime first(net_options());
    const auto body = [&]() -> task<> {
      linked link = co_await make_link();
      link.stream.set_deadline(clock::now() + 1h);
      std::array<std::byte, 8> buffer{};
      auto reading = cove::spawn(read_into, &link.stream, std::span<std::byte>(buffer));
      co_await until_waiting("read_some");
      link.peer.send("x");
      const cove::io_result got = co_await reading;
      CHECK(got.n == 1);
      CHECK(timers() == 1);
      stream = std::move(link.stream);
      peer = std::move(link.peer);
    };
    first.block_on(body);
  }
  stream.set_read_deadline(past());
  std::array<std::byte, 8> buffer;
  CHECK(stream.try_read(buffer).error == cove::errc::deadline_exceeded);
  stream.set_read_deadline(never);
  CHECK(stream.try_read(buffer).error == std::errc::operation_would_block);
  stream = tcp_stream();
  peer.close();
}
