#include "support/stream_test.hpp"

#include <random>

// Closing and cancelling under operations. Closing ends them with errc::closed and gives the number
// back when the last has left; cancelling ends one of them and loses no byte. What presupposes
// callbacks (K07) cannot be expressed here.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_stream;

task<std::error_code> borrow(tcp_stream* stream) {
  co_return (co_await stream->receive().as_result()).error();
}

/// The three ways to close; each must end what waits.
enum class closing { awaited, aborted, dropped };
constexpr std::array every_closing{closing::awaited, closing::aborted, closing::dropped};

task<> close_it(std::unique_ptr<tcp_stream>& stream, closing how) {
  if (how == closing::awaited) {
    const std::error_code ended = co_await stream->close();
    CHECK_FALSE(ended);
  } else if (how == closing::aborted) {
    stream->abort();
  } else {
    stream.reset();
  }
}

/// Everything that can be asked of a stream; all of it must say closed.
task<> check_all_closed(tcp_stream& stream) {
  std::array<std::byte, 8> buffer;
  const auto read = co_await stream.read_some(buffer).as_result();
  CHECK(read.error == cove::errc::closed);
  const auto exact = co_await stream.read_exact(buffer).as_result();
  CHECK(exact.error == cove::errc::closed);
  const auto seen = co_await stream.peek(buffer).as_result();
  CHECK(seen.error == cove::errc::closed);
  const auto lent = co_await stream.receive().as_result();
  CHECK(lent.error() == cove::errc::closed);
  const auto ready = co_await stream.wait_readable().as_result();
  CHECK(ready.error() == cove::errc::closed);
  const auto some = co_await stream.write_some(buffer).as_result();
  CHECK(some.error == cove::errc::closed);
  const auto all = co_await stream.write_all(buffer).as_result();
  CHECK(all.error == cove::errc::closed);
  CHECK(stream.try_read(buffer).error == cove::errc::closed);
  CHECK(stream.try_write(buffer).error == cove::errc::closed);
  int refused = 0;
  const auto expect_closed = [&refused](auto call) {
    try {
      call();
    } catch (const cove::error& failure) {
      if (failure.code() == cove::errc::closed) ++refused;
    }
  };
  expect_closed([&] { stream.shutdown_write(); });
  expect_closed([&] { stream.shutdown_read(); });
  expect_closed([&] { stream.local_address(); });
  expect_closed([&] { stream.peer_address(); });
  expect_closed([&] { stream.set_nodelay(true); });
  expect_closed([&] { stream.receive_buffer(); });
  CHECK(refused == 6);
  CHECK(stream.is_closed());
  CHECK(stream.native_handle() == -1);
}

}  // namespace

TEST_CASE("K01 closing a stream in any way ends the read that waits, with closed") {
  run_test([]() -> task<> {
    for (const closing how : every_closing) {
      linked link = co_await make_link();
      auto stream = std::make_unique<tcp_stream>(std::move(link.stream));
      std::array<std::byte, 8> buffer{};
      auto reading = cove::spawn(read_into, stream.get(), std::span<std::byte>(buffer));
      co_await until_waiting("read_some");
      CHECK_FALSE(reading.done());
      co_await close_it(stream, how);
      const cove::io_result got = co_await reading;
      CHECK(got.n == 0);
      CHECK(got.error == cove::errc::closed);
    }
  });
}

TEST_CASE("K01 closing ends an exact read that had begun and a read that borrows") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer{};
    auto reading = cove::spawn(fill, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_exact");
    peer.send("abc");
    co_await until_taken(stream, peer);
    co_await stream.close();
    const cove::io_result got = co_await reading;
    CHECK(got.error == cove::errc::closed);
    CHECK(got.n == 3);

    linked other = co_await make_link();
    auto borrowing = cove::spawn(borrow, &other.stream);
    co_await until_waiting("receive");
    co_await other.stream.close();
    const std::error_code why = co_await borrowing;
    CHECK(why == cove::errc::closed);
  });
}

TEST_CASE("K02 after a close nothing is written to the buffer of the read it ended") {
  run_test([]() -> task<> {
    auto listener = cove::net::tcp_listener::bind("127.0.0.1:0");
    for (int i = 0; i < 30; ++i) {
      raw_peer first = raw_peer::connect(listener.local_address());
      tcp_stream stream = co_await listener.accept();
      const int number = stream.native_handle();
      std::array<std::byte, 16> old_buffer{};
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(old_buffer));
      co_await until_waiting("read_some");
      co_await stream.close();
      // The next connection gets the same number, and its bytes are its own.
      const int held = ::fcntl(0, F_DUPFD_CLOEXEC, number);
      REQUIRE(held == number);
      raw_peer second = raw_peer::connect(listener.local_address());
      ::close(held);
      tcp_stream next = co_await listener.accept();
      // io_uring accepts ahead, and had chosen a number before this one was free.
      if (cove::runtime::current()->backend() != "io_uring") CHECK(next.native_handle() == number);
      second.send("for the new one");
      std::array<std::byte, 15> new_buffer{};
      co_await next.read_exact(new_buffer);
      CHECK(text_of(new_buffer) == "for the new one");
      const cove::io_result got = co_await reading;
      CHECK(got.error == cove::errc::closed);
      CHECK(old_buffer == std::array<std::byte, 16>{});
    }
  });
}

TEST_CASE("K03 closing a stream in any way ends the write that waits, with closed") {
  run_test([]() -> task<> {
    for (const closing how : every_closing) {
      linked link = co_await make_narrow_link();
      auto stream = std::make_unique<tcp_stream>(std::move(link.stream));
      const std::string all = pattern(3'000'000);
      auto writing = cove::spawn(write_whole, stream.get(), all);
      co_await until_waiting("write_all");
      CHECK_FALSE(writing.done());
      co_await close_it(stream, how);
      const cove::io_result written = co_await writing;
      CHECK(written.error == cove::errc::closed);
      CHECK(written.n > 0);
      CHECK(written.n < all.size());
      if (how == closing::aborted) continue;
      // What it says it moved is what arrives.
      const received got = co_await link.peer.receive_all();
      CHECK((got.bytes == all.substr(0, written.n)));
    }
  });
}

TEST_CASE("K04 a second close reports closed and touches no number") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    const int number = stream.native_handle();
    const std::error_code first = co_await stream.close();
    CHECK_FALSE(first);
    // Somebody else gets the number.
    const int mine = ::fcntl(0, F_DUPFD_CLOEXEC, number);
    REQUIRE(mine == number);
    for (int i = 0; i < 2; ++i) {
      const std::error_code again = co_await stream.close();
      CHECK(again == cove::errc::closed);
      stream.abort();
    }
    {
      const tcp_stream moved = std::move(stream);
    }
    CHECK(::fcntl(mine, F_GETFD) != -1);
    ::close(mine);
  });
}

TEST_CASE("K04 of several closes at once one closes and the others say so") {
  run_test([]() -> task<> {
    const auto close = [](tcp_stream* stream) -> task<std::error_code> {
      co_return co_await stream->close();
    };
    for (int i = 0; i < 50; ++i) {
      auto [stream, peer] = co_await make_link();
      std::array<std::byte, 8> buffer{};
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
      if (i % 2 == 0) co_await until_waiting("read_some");
      std::array<cove::join_handle<std::error_code>, 3> closers;
      for (auto& closer : closers) closer = cove::spawn(close, &stream);
      int closed_it = 0;
      for (auto& closer : closers) {
        const std::error_code ended = co_await closer;
        if (!ended)
          ++closed_it;
        else
          CHECK(ended == cove::errc::closed);
      }
      CHECK(closed_it == 1);
      const cove::io_result got = co_await reading;
      CHECK(got.error == cove::errc::closed);
    }
  });
}

TEST_CASE("K05 everything asked of a closed stream says closed, whoever has its number now") {
  run_test([]() -> task<> {
    for (const bool was_awaited : no_and_yes) {
      auto [stream, peer] = co_await make_link();
      if (was_awaited) co_await check_link(stream, peer);
      const int number = stream.native_handle();
      co_await stream.close();
      // A stranger's socket under the old number, with data to be stolen.
      auto [stranger, sender] = co_await make_link();
      const int mine = ::fcntl(stranger.native_handle(), F_DUPFD_CLOEXEC, number);
      sender.send("private");
      co_await stranger.wait_readable();
      co_await check_all_closed(stream);
      std::array<std::byte, 7> buffer;
      co_await stranger.read_exact(buffer);
      CHECK(text_of(buffer) == "private");
      ::close(mine);
    }
    tcp_stream never;
    co_await check_all_closed(never);
  });
}

TEST_CASE("K06 closing from anywhere races safely with reading and writing") {
  run_test([]() -> task<> {
    std::mt19937 random(7);
    for (int i = 0; i < 200; ++i) {
      auto [near, far] = co_await make_streams();
      const std::string text = pattern(2000);
      const auto use = [&](tcp_stream* stream) -> task<> {
        std::array<std::byte, 512> buffer;
        for (;;) {
          const auto written = co_await stream->write_all(bytes_of(text)).as_result();
          if (written.error) co_return;
          const auto got = co_await stream->read_some(buffer).as_result();
          if (got.error || got.n == 0) co_return;
        }
      };
      const auto close = [](tcp_stream* stream, unsigned turns) -> task<> {
        while (turns-- > 0) co_await cove::this_task::yield();
        if (turns % 2 == 0)
          stream->abort();
        else
          co_await stream->close();
      };
      auto first = cove::spawn(use, &near);
      auto second = cove::spawn(use, &far);
      auto closer = cove::spawn(close, &near, static_cast<unsigned>(random() % 20));
      co_await closer;
      co_await first;
      co_await far.close();
      co_await second;
    }
  });
}

TEST_CASE("K06 a stream that nobody awaited may be closed while another task starts to use it") {
  run_test([]() -> task<> {
    for (int i = 0; i < 200; ++i) {
      auto [stream, peer] = co_await make_link();
      peer.send("x");
      std::array<std::byte, 8> buffer;
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
      const std::error_code ended = co_await stream.close();
      CHECK_FALSE(ended);
      const cove::io_result got = co_await reading;
      const bool fits = (got.n == 1 && !got.error) || got.error == cove::errc::closed;
      CHECK(fits);
    }
  });
}

TEST_CASE("K04 an abort in the moment of an awaited close disturbs no later wait of the closer") {
  run_test([]() -> task<> {
    for (int i = 0; i < (sanitized ? 200 : 500); ++i) {
      auto [stream, peer] = co_await make_link();
      std::array<std::byte, 8> buffer{};
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
      co_await cove::this_task::yield();
      std::atomic<bool> starts{false};
      std::thread aborter([&] {
        starts = true;
        for (volatile int moment = i; moment > 0;) moment = moment - 1;
        stream.abort();
      });
      while (!starts) co_await cove::this_task::yield();
      static_cast<void>(co_await stream.close());
      // A completion too many would end this wait before its time.
      auto turns = cove::spawn([]() -> task<> {
        for (int turn = 0; turn < 5; ++turn) co_await cove::this_task::yield();
      });
      co_await turns;
      aborter.join();
      const cove::io_result got = co_await reading;
      CHECK(got.error == cove::errc::closed);
    }
  });
}

TEST_CASE("K05 K06 a stream that nobody awaited may be closed while it is tried and asked") {
  run_test([]() -> task<> {
    for (int i = 0; i < 300; ++i) {
      auto [stream, peer] = co_await make_link();
      std::atomic<bool> starts{false};
      std::thread user([&] {
        std::array<std::byte, 8> buffer;
        cove::io_result got;
        do {
          got = stream.try_read(buffer);
          starts = true;
        } while (got.error == std::errc::operation_would_block);
        CHECK(got.error == cove::errc::closed);
      });
      while (!starts) co_await cove::this_task::yield();
      for (volatile int moment = i; moment > 0;) moment = moment - 1;
      stream.abort();
      // Takes the number that has become free, and has something to read.
      auto [stranger, sender] = co_await make_link();
      sender.send("private");
      user.join();
      std::array<std::byte, 7> buffer;
      co_await stranger.read_exact(buffer);
      CHECK(text_of(buffer) == "private");
    }
  });
}

TEST_CASE("K08 a descriptor closed behind the runtime's back is noticed and disturbs nobody") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    auto [other, other_peer] = co_await make_link();
    co_await check_link(stream, peer);
    ::close(stream.native_handle());
    const auto written = co_await stream.write_all(bytes_of("x")).as_result();
    CHECK(written.error == std::errc::bad_file_descriptor);
    std::array<std::byte, 8> buffer;
    auto limited = cove::with_timeout(stream.read_some(buffer).as_result(), 20ms);
    const std::uint64_t runs = cove::runtime::current()->stats().task_runs;
    const cove::io_result got = co_await std::move(limited);
    // A poller may have lost sight of it, so that only the limit ends the read.
    const bool fits =
        got.error == std::errc::bad_file_descriptor || got.error == cove::errc::deadline_exceeded;
    CHECK(fits);
    CHECK(cove::runtime::current()->stats().task_runs - runs < 100);
    co_await check_link(other, other_peer);
    const std::error_code ended = co_await stream.close();
    CHECK(ended == std::errc::bad_file_descriptor);
  });
}

TEST_CASE("K16 cancelling reads again and again loses no byte and reads none twice") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    const std::string all = pattern(200'000);
    std::thread sender([&all, fd = peer.fd()] {
      ::fcntl(fd, F_SETFL, 0);
      std::mt19937 random(5);
      for (std::size_t at = 0; at < all.size();) {
        const std::size_t size = std::min<std::size_t>(random() % 400 + 1, all.size() - at);
        ::send(fd, &all[at], size, MSG_NOSIGNAL);
        at += size;
      }
      ::shutdown(fd, SHUT_WR);
    });
    std::string got;
    std::size_t cut_short = 0;
    std::vector<std::byte> buffer(1000);
    for (int i = 0;; ++i) {
      // Limits from none at all to some that are never reached.
      const auto limit = std::chrono::microseconds(i % 100);
      auto read = cove::with_timeout(stream.read_exact(buffer).as_result(), limit);
      const cove::io_result one = co_await std::move(read);
      got += text_of(std::span(buffer).first(one.n));
      if (one.error == cove::errc::unexpected_end) break;
      if (one.error) {
        CHECK(one.error == cove::errc::deadline_exceeded);
        ++cut_short;
      }
    }
    sender.join();
    CHECK((got == all));
    CHECK(cut_short > 0);
  });
}

TEST_CASE("K16 a cancel that races with the arrival leaves the bytes to one of two reads") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    for (int i = 0; i < 300; ++i) {
      std::array<std::byte, 8> buffer{};
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
      for (int turns = i % 3; turns > 0; --turns) co_await cove::this_task::yield();
      peer.send("12345");
      for (int turns = i % 5; turns > 0; --turns) co_await cove::this_task::yield();
      reading.cancel();
      const auto first = co_await reading.as_result();
      // Without a value the task was asked to end before it began.
      std::size_t n = 0;
      if (first) {
        n = first->n;
        const bool fits = n == 5 ? !first->error : first->error == std::errc::operation_canceled;
        CHECK(fits);
      }
      if (n == 0) n = co_await stream.read_some(buffer);
      CHECK(text_of(std::span(buffer).first(n)) == "12345");
    }
  });
}

TEST_CASE("K17 a cancelled write says how many bytes went, and the next one follows them") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(3'000'000);
    auto writing = cove::spawn(write_whole, &stream, all);
    co_await until_waiting("write_all");
    writing.cancel();
    const cove::io_result written = co_await writing;
    CHECK(written.error == std::errc::operation_canceled);
    CHECK(written.n > 0);
    CHECK(written.n < all.size());
    auto next = cove::spawn(write_whole, &stream, std::string_view("and on"));
    const received got = co_await peer.receive(written.n + 6);
    CHECK((got.bytes == all.substr(0, written.n) + "and on"));
    const cove::io_result last = co_await next;
    CHECK_FALSE(last.error);
  });
}

TEST_CASE(
    "K17 a cancelled exact read says how many bytes came, one that had none changes nothing") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer{};
    auto reading = cove::spawn(fill, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_exact");
    peer.send("abc");
    co_await until_taken(stream, peer);
    reading.cancel();
    const cove::io_result part = co_await reading;
    CHECK(part.error == std::errc::operation_canceled);
    CHECK(part.n == 3);
    CHECK(text_of(std::span(buffer).first(3)) == "abc");
    auto none = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    none.cancel();
    const cove::io_result nothing = co_await none;
    CHECK(nothing.error == std::errc::operation_canceled);
    CHECK(nothing.n == 0);
    co_await check_link(stream, peer);
  });
}

TEST_CASE("K17 the exception of a cancelled read says how many bytes came") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer{};
    const auto read = [&]() -> task<std::size_t> {
      try {
        co_await stream.read_exact(buffer);
      } catch (const cove::canceled& stopped) {
        CHECK(stopped.code() == std::errc::operation_canceled);
        co_return stopped.transferred();
      }
      co_return 99;
    };
    auto reading = cove::spawn(read);
    co_await until_waiting("read_exact");
    peer.send("abcd");
    co_await until_taken(stream, peer);
    reading.cancel();
    const std::size_t moved = co_await reading;
    CHECK(moved == 4);
  });
}

TEST_CASE("K20 a task that is cancelled before it starts never runs") {
  run_test([]() -> task<> {
    int before_start = 0;
    for (int i = 0; i < 100; ++i) {
      bool ran = false;
      const auto body = [&ran]() -> task<> {
        ran = true;
        co_return;
      };
      auto running = cove::spawn(body);
      running.cancel();
      const auto ended = co_await running.as_result();
      // Another worker may have been faster than the cancel.
      CHECK(ended.has_value() == ran);
      if (ended) continue;
      CHECK(ended.error() == std::errc::operation_canceled);
      ++before_start;
    }
    CHECK(before_start > 0);
  });
}

TEST_CASE("K20 an operation of a task that was cancelled fails at once and moves nothing") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    peer.send("there");
    co_await stream.wait_readable();
    const auto body = [&]() -> task<> {
      try {
        co_await cove::this_task::sleep_for(1h);
      } catch (const cove::canceled&) {
      }
      std::array<std::byte, 8> buffer;
      for (int i = 0; i < 2; ++i) {
        const auto got = co_await stream.read_some(buffer).as_result();
        CHECK(got.error == std::errc::operation_canceled);
        CHECK(got.n == 0);
        const auto sent = co_await stream.write_all(bytes_of("no")).as_result();
        CHECK(sent.error == std::errc::operation_canceled);
        CHECK(sent.n == 0);
      }
    };
    auto running = cove::spawn(body);
    co_await until_waiting("sleep");
    running.cancel();
    co_await running;
    std::array<std::byte, 5> buffer;
    co_await stream.read_exact(buffer);
    CHECK(text_of(buffer) == "there");
    stream.shutdown_write();
    const received nothing = co_await peer.receive_all();
    CHECK(nothing.bytes.empty());
  });
}

TEST_CASE("K21 cancelling a session that waits gives its descriptor and its frames back") {
  run_test([]() -> task<> {
    const auto session = [](tcp_stream stream) -> task<> {
      std::array<std::byte, 4096> buffer;
      while (co_await stream.read_some(buffer) != 0) {
      }
    };
    const std::size_t before = open_descriptors();
    const std::uint64_t tasks = cove::runtime::current()->stats().tasks_live;
    for (int i = 0; i < 30; ++i) {
      linked link = co_await make_link();
      auto running = cove::spawn(session, std::move(link.stream));
      if (i % 2 == 0) co_await until_waiting("read_some");
      running.cancel();
      const auto ended = co_await running.as_result();
      CHECK(ended.error() == std::errc::operation_canceled);
      const received end = co_await link.peer.receive_all();
      CHECK(end.ended);
    }
    CHECK(open_descriptors() == before);
    CHECK(cove::runtime::current()->stats().tasks_live == tasks);
    CHECK(cove::runtime::current()->stats().descriptors == 0);
  });
}
