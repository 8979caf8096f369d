#include "support/stream_test.hpp"

#include <sys/mman.h>

#include <climits>

// Reading and writing: what goes in comes out, whole and in order, whatever has to be waited for.
// Who may use a stream, and what that costs, is in tcp_stream_rules_test.cpp.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::io::const_buffer;
using cove::io::mutable_buffer;
using cove::net::tcp_stream;

task<> send_back(tcp_stream* stream, std::size_t rounds, std::size_t size) {
  std::vector<std::byte> buffer(size);
  for (std::size_t i = 0; i < rounds; ++i) {
    co_await stream->read_exact(buffer);
    co_await stream->write_all(buffer);
  }
}

task<> check_ping_pong(cove::net::socket_address at) {
  auto [near, far] = co_await make_streams(at);
  constexpr std::size_t rounds = 300;
  const std::string message = pattern(100);
  auto answering = cove::spawn(send_back, &far, rounds, message.size());
  std::string answer(message.size(), '\0');
  for (std::size_t i = 0; i < rounds; ++i) {
    co_await near.write_all(bytes_of(message));
    co_await near.read_exact(std::as_writable_bytes(std::span(answer)));
    if (answer != message) break;
  }
  CHECK(answer == message);
  co_await answering;
}

/// Reads to the end, in parts of at most `most` bytes.
task<std::string> read_to_end(tcp_stream* stream, std::size_t most) {
  std::string all;
  std::vector<std::byte> part(most);
  while (const std::size_t n = co_await stream->read_some(part))
    all += text_of(std::span(part).first(n));
  co_return all;
}

}  // namespace

TEST_CASE("S01 two streams of this host send messages to and fro") {
  run_test([]() -> task<> { co_await check_ping_pong("127.0.0.1:0"); });
}

TEST_CASE("S01 two streams over IPv6 send messages to and fro") {
  run_test([]() -> task<> { co_await check_ping_pong("[::1]:0"); });
}

TEST_CASE("S01 messages of several parts go to and fro") {
  run_test([]() -> task<> {
    auto [near, far] = co_await make_streams();
    auto answering = cove::spawn(send_back, &far, std::size_t{200}, std::size_t{10});
    for (int i = 0; i < 200; ++i) {
      const std::array<const_buffer, 3> parts{const_buffer("abc"), const_buffer(""),
                                              const_buffer("defghij")};
      co_await near.write_all(parts);
      std::array<std::byte, 10> answer;
      co_await near.read_exact(answer);
      CHECK(text_of(answer) == "abcdefghij");
    }
    co_await answering;
  });
}

TEST_CASE("S02 many writes in a row arrive whole and in order") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link(4096);
    const std::string all = pattern(600'000);
    const auto write = [&]() -> task<> {
      std::string_view rest = all;
      for (std::size_t size = 1; !rest.empty(); size = size % 1499 + 1) {
        const std::string_view part = rest.substr(0, size);
        co_await stream.write_all(bytes_of(part));
        rest.remove_prefix(part.size());
      }
    };
    auto writing = cove::spawn(write);
    const received got = co_await peer.receive(all.size());
    CHECK(got.bytes == all);
    co_await writing;
  });
}

TEST_CASE("S03 a write beyond all buffers waits and completes in order") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(5'000'000);
    auto writing = cove::spawn(write_whole, &stream, all);
    co_await until_waiting("write_all");
    CHECK_FALSE(writing.done());
    const received got = co_await peer.receive(all.size());
    CHECK((got.bytes == all));
    const cove::io_result written = co_await writing;
    CHECK(written.n == all.size());
    CHECK_FALSE(written.error);
  });
}

TEST_CASE("S03 a write of several large buffers waits inside of them and completes in order") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(1'000'000);
    std::vector<const_buffer> parts;
    std::string_view rest = all;
    for (std::size_t size = 1; !rest.empty(); size = size * 3 + 7) {
      parts.emplace_back(rest.substr(0, size));
      rest.remove_prefix(parts.back().size);
    }
    const auto write = [&]() -> task<cove::io_result> {
      co_return co_await stream.write_all(parts).as_result();
    };
    auto writing = cove::spawn(write);
    const received got = co_await peer.receive(all.size());
    CHECK((got.bytes == all));
    const cove::io_result written = co_await writing;
    CHECK(written.n == all.size());
    CHECK_FALSE(written.error);
  });
}

TEST_CASE("S04 more buffers than one system call takes are written completely and in order") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    const std::string all = pattern(5 * IOV_MAX);
    std::vector<const_buffer> parts;
    for (const char& byte : all) parts.emplace_back(&byte, 1);
    co_await stream.write_all(parts);
    const received got = co_await peer.receive(all.size());
    CHECK((got.bytes == all));
    // And read, into as many.
    const bool sent = co_await peer.send_all(all);
    CHECK(sent);
    std::string back(all.size(), '\0');
    std::vector<mutable_buffer> places;
    for (char& byte : back) places.emplace_back(&byte, 1);
    std::size_t filled = 0;
    while (filled < back.size())
      filled += co_await stream.read_some(std::span(places).subspan(filled));
    CHECK((back == all));
  });
}

// ThreadSanitizer keeps twice the memory of all that is sent.
TEST_CASE("S04 one buffer of more than 2 GiB is written completely" *
          doctest::skip(sanitized && std::getenv("COVE_SLOW_TESTS") == nullptr)) {
  constexpr std::size_t size = (std::size_t{2} << 30) + 12'345;
  // The kernel gives the same page of zeros for all of it.
  void* zeros =
      ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(zeros != MAP_FAILED);
  run_test([&]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::size_t discarded = 0;
    std::thread reader([&discarded, fd = peer.fd()] {
      ::fcntl(fd, F_SETFL, 0);
      for (ssize_t n; (n = ::recv(fd, nullptr, 1 << 22, MSG_TRUNC)) > 0;)
        discarded += static_cast<std::size_t>(n);
    });
    const auto written =
        co_await stream.write_all(std::span(static_cast<std::byte*>(zeros), size)).as_result();
    CHECK(written.n == size);
    CHECK_FALSE(written.error);
    co_await stream.close();
    reader.join();
    CHECK(discarded == size);
  });
  ::munmap(zeros, size);
}

TEST_CASE("S05 a write of several buffers that fails says how many bytes had gone") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string part = pattern(100'000);
    const std::vector<const_buffer> parts(50, const_buffer(part));
    const auto write = [&]() -> task<cove::io_result> {
      co_return co_await stream.write_all(parts).as_result();
    };
    auto writing = cove::spawn(write);
    const received got = co_await peer.receive(150'000);
    CHECK(got.bytes.size() == 150'000);
    co_await until_waiting("write_all");
    peer.reset();
    const cove::io_result written = co_await writing;
    CHECK(written.error == std::errc::connection_reset);
    CHECK(written.n >= 150'000);
    CHECK(written.n < 50 * part.size());
  });
}

TEST_CASE("S05 the exception of a failed write says how many bytes had gone") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(5'000'000);
    const auto write = [&]() -> task<std::size_t> {
      try {
        co_await stream.write_all(bytes_of(all));
      } catch (const cove::io_error& failure) {
        CHECK(failure.code() == std::errc::connection_reset);
        CHECK(std::string(failure.what()).find("write_all") != std::string::npos);
        co_return failure.transferred();
      }
      co_return 0;
    };
    auto writing = cove::spawn(write);
    const received got = co_await peer.receive(100'000);
    peer.reset();
    const std::size_t gone = co_await writing;
    CHECK(gone >= got.bytes.size());
    CHECK(gone < all.size());
  });
}

TEST_CASE("S06 a read into several buffers fills them in order") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    for (int round = 0; round < 3; ++round) {
      std::array<char, 3> first{};
      std::array<char, 4> second{};
      std::array<char, 5> third{};
      const std::array<mutable_buffer, 4> places{
          mutable_buffer(first.data(), 3), mutable_buffer(nullptr, 0),
          mutable_buffer(second.data(), 4), mutable_buffer(third.data(), 5)};
      peer.send("abcdefghij");
      // Sent at once over loopback, so they come at once.
      const std::size_t filled = co_await stream.read_some(places);
      CHECK(filled == 10);
      CHECK(std::string_view(first.data(), 3) == "abc");
      CHECK(std::string_view(second.data(), 4) == "defg");
      CHECK(std::string_view(third.data(), 3) == "hij");
    }
  });
}

TEST_CASE("S07 try_read and try_write say that they would block, and lose nothing") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link(8192);
    std::array<std::byte, 64> buffer;
    const cove::io_result nothing = stream.try_read(buffer);
    CHECK(nothing.n == 0);
    CHECK(nothing.error == std::errc::operation_would_block);
    CHECK(stream.try_read({}).error == std::errc::invalid_argument);
    peer.send("here");
    const auto came = [&] {
      const cove::io_result got = stream.try_read(buffer);
      return got.n == 4 && !got.error && text_of(std::span(buffer).first(4)) == "here";
    };
    co_await until(came);

    stream.set_send_buffer(8192);
    const std::string all = pattern(4'000'000);
    std::size_t written = 0;
    cove::io_result one;
    while ((one = stream.try_write(bytes_of(std::string_view(all).substr(written)))))
      written += one.n;
    CHECK(one.error == std::errc::operation_would_block);
    CHECK(one.n == 0);
    CHECK(written > 0);
    CHECK(written < all.size());
    // An ordinary write goes on behind it.
    const std::string_view rest = std::string_view(all).substr(written, 100'000);
    auto writing = cove::spawn(write_whole, &stream, rest);
    const received got = co_await peer.receive(written + rest.size());
    CHECK((got.bytes == all.substr(0, written + rest.size())));
    const cove::io_result behind = co_await writing;
    CHECK_FALSE(behind.error);
    peer.finish();
    const auto at_end = [&] {
      const cove::io_result end = stream.try_read(buffer);
      return end.n == 0 && !end.error;
    };
    co_await until(at_end);
  });
}

TEST_CASE("S08 waiting for data, then reading until it would block, misses nothing") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::string got;
    const std::string all = pattern(100 * 101 / 2 * 40);
    const auto drain = [&]() -> task<> {
      std::array<std::byte, 512> buffer;
      while (got.size() < all.size()) {
        co_await stream.wait_readable();
        cove::io_result one;
        while ((one = stream.try_read(buffer))) got += text_of(std::span(buffer).first(one.n));
        CHECK(one.error == std::errc::operation_would_block);
      }
    };
    auto draining = cove::spawn(drain);
    std::size_t sent = 0;
    for (std::size_t size = 40; sent < all.size(); size += 40) {
      co_await until_waiting("wait_readable");
      peer.send(std::string_view(all).substr(sent, size));
      sent += size;
    }
    co_await draining;
    CHECK((got == all));
  });
}

TEST_CASE("S08 no event is lost between a short read and the next one") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    constexpr std::size_t messages = 20'000;
    const std::string all = pattern(messages * 5);
    // As fast as it goes, so that data comes before, while and after the reader looks.
    std::thread sender([&all, fd = peer.fd()] {
      ::fcntl(fd, F_SETFL, 0);
      for (std::size_t at = 0; at < all.size(); at += 5) ::send(fd, &all[at], 5, MSG_NOSIGNAL);
      ::shutdown(fd, SHUT_WR);
    });
    const std::string got = co_await read_to_end(&stream, 64);
    sender.join();
    CHECK((got == all));
  });
}

/// A short read, `spent` operations more, a read that has to wait, and one for what came with that.
task<std::string> read_after_spending(tcp_stream* stream, int spent) {
  std::array<std::byte, 8> buffer;
  std::size_t n = co_await stream->read_some(buffer);
  std::string got(text_of(std::span(buffer).first(n)));
  for (int i = 0; i < spent; ++i) co_await stream->write_some(std::span<const std::byte>());
  for (int i = 0; i < 2; ++i) {
    n = co_await stream->read_some(buffer);
    got += text_of(std::span(buffer).first(n));
  }
  co_return got;
}

TEST_CASE("S08 a short read is forgotten once more was asked for, wherever the budget ends") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    for (int spent = 100; spent < 150; ++spent) {
      peer.send("1234");
      auto reading = cove::spawn(
          [&, spent] { return cove::with_timeout(read_after_spending(&stream, spent), 10s); });
      co_await until_waiting("read_some");
      peer.send("abcdefghABCDEFGH");
      const std::string got = co_await reading;
      CHECK(got == "1234abcdefghABCDEFGH");
    }
  });
}

TEST_CASE("S09 a read of nothing is refused and takes nothing, not even the end") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    peer.send("x");
    peer.finish();
    for (int i = 0; i < 2; ++i) {
      const auto none = co_await stream.read_some(std::span<std::byte>()).as_result();
      CHECK(none.n == 0);
      CHECK(none.error == std::errc::invalid_argument);
      const auto exactly = co_await stream.read_exact(std::span<std::byte>()).as_result();
      CHECK_FALSE(exactly.error);
      CHECK(exactly.n == 0);
      if (i != 0) continue;
      const std::string rest = co_await read_to_end(&stream, 10);
      CHECK(rest == "x");
    }
    const std::string still_the_end = co_await read_to_end(&stream, 10);
    CHECK(still_the_end.empty());
  });
}

TEST_CASE("S10 a write of nothing succeeds and sends nothing") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    const std::size_t n = co_await stream.write_some(std::span<const std::byte>());
    CHECK(n == 0);
    co_await stream.write_all(std::span<const std::byte>());
    const std::array<const_buffer, 2> parts{const_buffer(""), const_buffer("")};
    const std::size_t m = co_await stream.write_some(parts);
    CHECK(m == 0);
    co_await stream.write_all(parts);
    co_await stream.write_all(std::span<const const_buffer>());
    co_await stream.write_all(bytes_of("after"));
    stream.shutdown_write();
    const received got = co_await peer.receive_all();
    CHECK(got.bytes == "after");
  });
}

TEST_CASE("S11 peek shows what the next read gives") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    peer.send("hello");
    std::array<std::byte, 8> buffer{};
    for (int i = 0; i < 3; ++i) {
      const std::size_t seen = co_await stream.peek(std::span(buffer).first(4));
      CHECK(seen == 4);
      CHECK(text_of(std::span(buffer).first(4)) == "hell");
    }
    const std::size_t read = co_await stream.read_some(buffer);
    CHECK(text_of(std::span(buffer).first(read)) == "hello");
    // A peek that has to wait.
    const auto look = [](tcp_stream* from, std::span<std::byte> into) -> task<std::size_t> {
      co_return co_await from->peek(into);
    };
    auto looking = cove::spawn(look, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("peek");
    peer.send("late");
    const std::size_t seen = co_await looking;
    CHECK(text_of(std::span(buffer).first(seen)) == "late");
    peer.finish();
    const std::string rest = co_await read_to_end(&stream, 10);
    CHECK(rest == "late");
    const std::size_t end = co_await stream.peek(buffer);
    CHECK(end == 0);
  });
}

TEST_CASE("S12 the end comes after all data, and stays the end") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    const std::string all = pattern(30'000);
    peer.send(all);
    peer.finish();
    const std::string got = co_await read_to_end(&stream, 1024);
    CHECK((got == all));
    std::array<std::byte, 8> buffer;
    for (int i = 0; i < 3; ++i) {
      const std::size_t n = co_await stream.read_some(buffer);
      CHECK(n == 0);
      co_await stream.wait_readable();
      const cove::io::lease lent = co_await stream.receive();
      CHECK(lent.empty());
    }
  });
}

TEST_CASE("S12 a reader that waits sees the end") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer;
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    peer.finish();
    const cove::io_result got = co_await reading;
    CHECK(got.n == 0);
    CHECK_FALSE(got.error);
  });
}

TEST_CASE("S13 a stream whose peer sends no more can still be written") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link(8192);
    peer.finish();
    const std::string nothing = co_await read_to_end(&stream, 10);
    CHECK(nothing.empty());
    const std::string all = pattern(3'000'000);
    auto writing = cove::spawn(write_whole, &stream, all);
    const received got = co_await peer.receive(all.size());
    CHECK((got.bytes == all));
    const cove::io_result written = co_await writing;
    CHECK_FALSE(written.error);
  });
}

TEST_CASE("S14 what is not read stays, and is all there when reading goes on") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    co_await check_link(stream, peer);
    const std::string all = pattern(60'000);
    std::string got;
    std::array<std::byte, 1000> buffer;
    for (std::size_t sent = 0; sent < all.size(); sent += 20'000) {
      // Nobody reads while this comes in, and then only a part of it.
      peer.send(std::string_view(all).substr(sent, 20'000));
      for (int i = 0; i < 5; ++i) {
        const std::size_t n = co_await stream.read_some(buffer);
        got += text_of(std::span(buffer).first(n));
      }
    }
    peer.finish();
    got += co_await read_to_end(&stream, 777);
    CHECK((got == all));
  });
}
