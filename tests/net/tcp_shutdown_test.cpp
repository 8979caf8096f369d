#include "support/stream_test.hpp"

// How connections end: by a FIN of either side, or by a reset. A reset is an error in both
// directions and stays one; it is never shown as the end of the stream. An end that came before it
// stays one, too.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_stream;

/// What reading once gives, in words.
task<std::string> read_once(tcp_stream& stream) {
  std::array<std::byte, 64> buffer;
  const auto got = co_await stream.read_some(buffer).as_result();
  if (got.error == std::errc::connection_reset) co_return "reset";
  if (got.error) co_return cove::describe(got.error);
  if (got.n == 0) co_return "end";
  co_return std::string(text_of(std::span(buffer).first(got.n)));
}

/// Writes until that fails: the peer's answer to what it cannot take comes a moment later.
task<std::error_code> write_until_failure(tcp_stream& stream) {
  for (int i = 0; i < 1000; ++i) {
    const auto written = co_await stream.write_all(bytes_of("x")).as_result();
    if (written.error) co_return written.error;
    co_await cove::this_task::sleep_for(1ms);  // tidy: allow
  }
  co_return std::error_code{};
}

bool means_gone(std::error_code why) {
  return why == std::errc::broken_pipe || why == std::errc::connection_reset;
}

/// What the call throws; a zero code for nothing.
template <class Call>
std::error_code failure_of(Call call) {
  try {
    call();
  } catch (const std::system_error& failure) {
    return failure.code();
  }
  return {};
}

task<> check_stays_reset(tcp_stream& stream) {
  for (int i = 0; i < 3; ++i) {
    const std::string got = co_await read_once(stream);
    CHECK(got == "reset");
    const auto written = co_await stream.write_all(bytes_of("x")).as_result();
    CHECK(means_gone(written.error));
    CHECK(written.n == 0);
    std::array<std::byte, 8> buffer;
    const auto seen = co_await stream.peek(buffer).as_result();
    CHECK(seen.error == std::errc::connection_reset);
    const auto lent = co_await stream.receive().as_result();
    CHECK(lent.error() == std::errc::connection_reset);
    CHECK(stream.try_read(buffer).error == std::errc::connection_reset);
  }
}

/// The peer's reset has arrived here.
task<> until_reset_arrived(int fd) {
  const auto gone = [fd] {
    pollfd what{fd, 0, 0};
    return ::poll(&what, 1, 0) == 1 && (what.revents & POLLHUP) != 0;
  };
  co_await until(gone);
}

}  // namespace

TEST_CASE("X01 shutting down for writing sends the end behind all that was written") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    const std::string all = pattern(3'000'000);
    const auto write = [&]() -> task<> {
      co_await stream.write_all(bytes_of(all));
      stream.shutdown_write();
    };
    auto writing = cove::spawn(write);
    const received got = co_await peer.receive_all();
    co_await writing;
    CHECK((got.bytes == all));
    CHECK(got.ended);
    CHECK(got.error == 0);
  });
}

TEST_CASE("X02 after shutting down for writing the peer's data is read to its end") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    stream.shutdown_write();
    const received end = co_await peer.receive_all();
    CHECK(end.ended);
    for (int i = 0; i < 3; ++i) {
      peer.send("answer");
      const std::string got = co_await read_once(stream);
      CHECK(got == "answer");
    }
    peer.finish();
    for (int i = 0; i < 3; ++i) {
      const std::string got = co_await read_once(stream);
      CHECK(got == "end");
    }
  });
}

TEST_CASE("X03 writing after the own shutdown is a broken pipe, reading goes on") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    stream.shutdown_write();
    for (int i = 0; i < 2; ++i) {
      const auto written = co_await stream.write_some(bytes_of("x")).as_result();
      CHECK(written.error == std::errc::broken_pipe);
      CHECK(written.n == 0);
    }
    CHECK(stream.try_write(bytes_of("x")).error == std::errc::broken_pipe);
    peer.send("still");
    const std::string got = co_await read_once(stream);
    CHECK(got == "still");
  });
}

TEST_CASE("X03 a writer that waits ends with a broken pipe when its side is shut down") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(4'000'000);
    auto writing = cove::spawn(write_whole, &stream, all);
    co_await until_waiting("write_all");
    stream.shutdown_write();
    const cove::io_result written = co_await writing;
    CHECK(written.error == std::errc::broken_pipe);
    // What it says it moved is what the peer gets before the end.
    const received got = co_await peer.receive_all();
    CHECK(got.ended);
    CHECK(got.bytes.size() == written.n);
    CHECK((got.bytes == all.substr(0, written.n)));
  });
}

TEST_CASE("X04 after shutting down for reading own reads see the end") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    stream.shutdown_read();
    for (int i = 0; i < 2; ++i) {
      const std::string got = co_await read_once(stream);
      CHECK(got == "end");
    }
    co_await stream.write_all(bytes_of("out"));
    const received out = co_await peer.receive(3);
    CHECK(out.bytes == "out");
  });
}

TEST_CASE("X04 shutting down for reading wakes the reader that waits") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer;
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    stream.shutdown_read();
    const cove::io_result got = co_await reading;
    CHECK(got.n == 0);
    CHECK_FALSE(got.error);
  });
}

TEST_CASE("X04 what comes after shutting down for reading is not read any more") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    stream.shutdown_read();
    peer.send("too late");
    for (int i = 0; i < 2; ++i) {
      const std::string got = co_await read_once(stream);
      CHECK(got == "end");
    }
  });
}

TEST_CASE("X05 a second shutdown does nothing") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    stream.shutdown_write();
    CHECK_FALSE(failure_of([&] { stream.shutdown_write(); }));
    const received end = co_await peer.receive_all();
    CHECK(end.ended);
    CHECK_FALSE(failure_of([&] { stream.shutdown_write(); }));
    // Both sides have finished: the kernel has no connection any more.
    peer.close();
    const std::string got = co_await read_once(stream);
    CHECK(got == "end");
    CHECK_FALSE(failure_of([&] { stream.shutdown_write(); }));
  });
}

TEST_CASE("X06 shutting down what is no connection says so") {
  run_test([]() -> task<> {
    tcp_stream none;
    CHECK(failure_of([&] { none.shutdown_write(); }) == cove::errc::closed);
    CHECK(failure_of([&] { none.shutdown_read(); }) == cove::errc::closed);
    auto [stream, peer] = co_await make_link();
    co_await stream.close();
    CHECK(failure_of([&] { stream.shutdown_write(); }) == cove::errc::closed);
    CHECK(failure_of([&] { stream.shutdown_read(); }) == cove::errc::closed);
  });
}

TEST_CASE("X07 shutting down on both sides at once ends in the end on both") {
  run_test([]() -> task<> {
    for (int i = 0; i < 20; ++i) {
      auto [near, far] = co_await make_streams();
      const auto finish = [](tcp_stream* stream) -> task<> {
        stream->shutdown_write();
        const std::string got = co_await read_once(*stream);
        CHECK(got == "end");
        const std::error_code ended = co_await stream->close();
        CHECK_FALSE(ended);
      };
      auto one = cove::spawn(finish, &near);
      auto other = cove::spawn(finish, &far);
      co_await one;
      co_await other;
    }
  });
}

TEST_CASE("X08 closing right after a shutdown still delivers all that was written") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link(8192);
    const std::string all = pattern(2'000'000);
    const cove::io_result written = stream.try_write(bytes_of(all));
    CHECK(written.n > 20'000);
    stream.shutdown_write();
    const std::error_code ended = co_await stream.close();
    CHECK_FALSE(ended);
    const received got = co_await peer.receive_all();
    CHECK(got.ended);
    CHECK((got.bytes == all.substr(0, written.n)));
  });
}

TEST_CASE("X09 shutting down after the peer's reset works or says that nobody is there") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    peer.reset();
    co_await until_reset_arrived(stream.native_handle());
    const std::error_code why = failure_of([&] { stream.shutdown_write(); });
    const bool fits = !why || why == std::errc::not_connected || means_gone(why);
    CHECK(fits);
    // It does not turn the reset into an end.
    co_await check_stays_reset(stream);
  });
}

TEST_CASE("X10 a reset fails the read that waits, and everything after it") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer;
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    peer.reset();
    const cove::io_result got = co_await reading;
    CHECK(got.error == std::errc::connection_reset);
    CHECK(got.n == 0);
    co_await check_stays_reset(stream);
    const std::error_code ended = co_await stream.close();
    CHECK_FALSE(ended);
  });
}

TEST_CASE("X10 a reset that a write met first is no end for the reader") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    co_await check_link(stream, peer);
    peer.reset();
    co_await until_reset_arrived(stream.native_handle());
    const auto written = co_await stream.write_all(bytes_of("x")).as_result();
    CHECK(means_gone(written.error));
    co_await check_stays_reset(stream);
  });
}

TEST_CASE("X10 a reset that try_write met before anybody awaited the stream is no end either") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    peer.reset();
    co_await until_reset_arrived(stream.native_handle());
    const cove::io_result written = stream.try_write(bytes_of("x"));
    CHECK(means_gone(written.error));
    std::array<std::byte, 8> buffer;
    CHECK(stream.try_read(buffer).error == std::errc::connection_reset);
    co_await check_stays_reset(stream);
  });
}

TEST_CASE("X11 a reset fails the reader and the writer that both wait") {
  run_test([]() -> task<> {
    for (int i = 0; i < 10; ++i) {
      auto [stream, peer] = co_await make_narrow_link();
      const std::string all = pattern(4'000'000);
      std::array<std::byte, 8> buffer;
      auto writing = cove::spawn(write_whole, &stream, all);
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
      co_await until_waiting("write_all");
      co_await until_waiting("read_some");
      peer.reset();
      const cove::io_result written = co_await writing;
      CHECK(means_gone(written.error));
      CHECK(written.n < all.size());
      const cove::io_result got = co_await reading;
      CHECK(got.error == std::errc::connection_reset);
      co_await check_stays_reset(stream);
    }
  });
}

TEST_CASE("X12 what came before the reset is delivered before the error") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    co_await check_link(stream, peer);
    peer.send("last words");
    peer.reset();
    co_await until_reset_arrived(stream.native_handle());
    std::array<std::byte, 4> buffer;
    co_await stream.read_exact(buffer);
    CHECK(text_of(buffer) == "last");
    const std::string rest = co_await read_once(stream);
    CHECK(rest == " words");
    co_await check_stays_reset(stream);
  });
}

TEST_CASE("X13 writing to a peer that has gone fails, and no signal ends the process") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    peer.close();
    const std::error_code why = co_await write_until_failure(stream);
    CHECK(means_gone(why));
    const std::error_code again = co_await write_until_failure(stream);
    CHECK(means_gone(again));
    CHECK(means_gone(stream.try_write(bytes_of("x")).error));
  });
}

TEST_CASE("S12 X13 an end that came before a reset stays the end") {
  // The peer said its last words, closed, and answers what is written to it with a reset.
  run_test([]() -> task<> {
    for (const bool reads_first : no_and_yes) {
      auto [stream, peer] = co_await make_link();
      peer.send("bye");
      peer.close();
      if (reads_first) {
        const std::string got = co_await read_once(stream);
        CHECK(got == "bye");
        const std::string end = co_await read_once(stream);
        CHECK(end == "end");
      }
      const std::error_code why = co_await write_until_failure(stream);
      CHECK(means_gone(why));
      if (!reads_first) {
        const std::string got = co_await read_once(stream);
        CHECK(got == "bye");
      }
      for (int i = 0; i < 2; ++i) {
        const std::string end = co_await read_once(stream);
        CHECK(end == "end");
      }
    }
  });
}

TEST_CASE("X14 abort and a linger of zero reset the connection") {
  run_test([]() -> task<> {
    for (int how = 0; how < 3; ++how) {
      auto [stream, peer] = co_await make_link();
      co_await check_link(stream, peer);
      if (how == 2) stream.shutdown_write();
      if (how == 1) {
        stream.set_linger(0);
        const std::error_code ended = co_await stream.close();
        CHECK_FALSE(ended);
      } else {
        stream.abort();
      }
      CHECK(stream.is_closed());
      const received end = co_await peer.receive_all();
      // After a shutdown the peer has its end already; what it writes then is refused.
      const bool fits = how == 2 ? end.ended || end.error == ECONNRESET : end.error == ECONNRESET;
      CHECK(fits);
      stream.abort();  // A second one does nothing.
    }
  });
}

TEST_CASE("X14 abort ends the operations that wait, with closed") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(4'000'000);
    std::array<std::byte, 8> buffer;
    auto writing = cove::spawn(write_whole, &stream, all);
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("write_all");
    co_await until_waiting("read_some");
    stream.abort();
    const cove::io_result written = co_await writing;
    CHECK(written.error == cove::errc::closed);
    const cove::io_result got = co_await reading;
    CHECK(got.error == cove::errc::closed);
    const received end = co_await peer.receive_all();
    CHECK(end.error == ECONNRESET);
  });
}

TEST_CASE("X15 closing with bytes that nobody read resets the connection") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    co_await check_link(stream, peer);
    peer.send("unread");
    co_await stream.wait_readable();
    const std::error_code ended = co_await stream.close();
    CHECK_FALSE(ended);
    const received end = co_await peer.receive_all();
    CHECK(end.error == ECONNRESET);
  });
}

TEST_CASE("X17 waiting for readability ends at the end, at a reset and at a close") {
  run_test([]() -> task<> {
    const auto wait = [](tcp_stream* stream) -> task<std::error_code> {
      co_return (co_await stream->wait_readable().as_result()).error();
    };
    for (int how = 0; how < 3; ++how) {
      auto [stream, peer] = co_await make_link();
      auto waiting = cove::spawn(wait, &stream);
      co_await until_waiting("wait_readable");
      CHECK_FALSE(waiting.done());
      if (how == 0) peer.finish();
      if (how == 1) peer.reset();
      if (how == 2) co_await stream.close();
      const std::error_code why = co_await waiting;
      if (how == 2) CHECK(why == cove::errc::closed);
      if (how != 2) CHECK_FALSE(why);
      if (how != 1) continue;
      const std::string got = co_await read_once(stream);
      CHECK(got == "reset");
    }
  });
}

TEST_CASE("X17 a reset wakes the writer that waits, though nobody reads") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(4'000'000);
    auto writing = cove::spawn(write_whole, &stream, all);
    co_await until_waiting("write_all");
    peer.reset();
    const cove::io_result written = co_await writing;
    CHECK(written.error == std::errc::connection_reset);
    CHECK(written.n < all.size());
  });
}
