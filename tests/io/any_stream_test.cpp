#include <cove/io/any_stream.hpp>

#include "support/runtime_test.hpp"

#include <cove/io/buffer.hpp>
#include <cove/io/duplex.hpp>
#include <cove/net/tcp.hpp>

#include <array>

namespace {

using namespace cove::test;
using cove::task;
using cove::io::any_stream;
using cove::io::bytes_of;
using cove::io::duplex_stream;

static_assert(cove::io::byte_stream<any_stream>);
static_assert(cove::io::byte_stream<cove::net::tcp_stream>);
// A socket's operations live in the caller's frame, behind an any_stream as well.
static_assert(cove::io::detail::transfer_room::fits<
              decltype(std::declval<cove::net::tcp_stream&>().read_some(std::span<std::byte>()))>);

/// A stream made of coroutines, whose shutdown has to be awaited.
class shouting {
 public:
  explicit shouting(duplex_stream on) : on_(std::move(on)) {}

  cove::io::transfer<std::size_t> read_some(std::span<std::byte> room) {
    return {"read_some", read(this, room)};
  }
  cove::io::transfer<std::size_t> write_some(std::span<const std::byte> bytes) {
    return {"write_some", write(this, bytes.first(bytes.empty() ? 0 : 1))};
  }
  cove::io::transfer<void> write_all(std::span<const std::byte> bytes) {
    return {"write_all", write(this, bytes)};
  }
  task<> shutdown_write() {
    co_await write_all(bytes_of("!"));
    on_.shutdown_write();
  }
  auto close() { return on_.close(); }

 private:
  static task<cove::io::transfer_outcome> read(shouting* self, std::span<std::byte> room) {
    co_return co_await self->on_.read_some(room).as_result();
  }
  static task<cove::io::transfer_outcome> write(shouting* self, std::span<const std::byte> bytes) {
    std::string loud;
    for (const std::byte each : bytes)
      loud += static_cast<char>(std::toupper(static_cast<int>(each)));
    co_return co_await self->on_.write_all(bytes_of(loud)).as_result();
  }

  duplex_stream on_;
};
static_assert(cove::io::byte_stream<shouting>);

task<std::string> read_all(any_stream* from) {
  std::string all;
  std::array<char, 5> room;
  while (const std::size_t n = co_await from->read_some(std::as_writable_bytes(std::span(room))))
    all.append(room.data(), n);
  co_return all;
}

task<> write_and_finish(any_stream to, std::string text) {
  co_await to.write_all(bytes_of(text));
  co_await to.shutdown_write();
}

TEST_CASE("an any_stream reads, writes and ends as the stream within") {
  run_in(plain_options(4), []() -> task<> {
    auto ends = cove::io::duplex(3);
    any_stream plain(std::move(ends.near));
    auto writing =
        cove::spawn(write_and_finish, any_stream(shouting(std::move(ends.far))), "quiet");
    const std::string got = co_await read_all(&plain);
    CHECK(got == "QUIET!");
    co_await writing;
    const cove::io_result broken = co_await plain.write_all(bytes_of("x")).as_result();
    CHECK(broken.error == std::errc::broken_pipe);
    const std::error_code closed = co_await plain.close();
    CHECK(!closed);
    const std::error_code again = co_await plain.close();
    CHECK(again == cove::errc::closed);
  });
}

TEST_CASE("an any_stream throws what its stream reports, with the count") {
  run_in(plain_options(), []() -> task<> {
    auto ends = cove::io::duplex(3);
    any_stream plain(std::move(ends.near));
    std::size_t moved = 0;
    std::string said;
    try {
      co_await cove::with_timeout(plain.write_all(bytes_of("12345")), std::chrono::milliseconds(1));
    } catch (const cove::io_error& e) {
      moved = e.transferred();
      said = e.what();
    }
    CHECK(moved == 3);
    CHECK(said.starts_with("write_all: "));
    std::array<std::byte, 3> room;
    co_await ends.far.read_exact(room);
  });
}

/// One that tells no more than what it is asked, and too much to fit into an any_stream's room.
class chatty {
 public:
  /// As any library's awaitable, but large.
  template <class Inner>
  class large : public Inner {
   public:
    explicit large(Inner&& inner) noexcept : Inner(std::move(inner)) {}
    std::array<std::byte, 200> more{};
  };
  explicit chatty(duplex_stream on) : on_(std::move(on)) {}
  auto read_some(std::span<std::byte> room) { return large(on_.read_some(room)); }
  auto write_some(std::span<const std::byte> bytes) { return large(on_.write_some(bytes)); }
  auto write_all(std::span<const std::byte> bytes) { return large(on_.write_all(bytes)); }
  void shutdown_write() { on_.shutdown_write(); }
  auto close() { return on_.close(); }

 private:
  duplex_stream on_;
};

template <class S>
task<> check_told_as_by(S plain, any_stream any) {
  for (const bool reads : std::array{true, false}) {
    if (!reads) static_cast<void>(co_await plain.close());
    if (!reads) static_cast<void>(co_await any.close());
    std::array<std::byte, 3> room;
    const auto into = std::span(room).first(reads ? 0 : 3);
    const std::string expected = co_await outcome_of(plain.read_some(into));
    CHECK(expected.starts_with("read_some: "));
    const std::string said = co_await outcome_of(any.read_some(into));
    CHECK(said == expected);
    const cove::io_result reported = co_await any.read_some(into).as_result();
    CHECK(reported.error);
  }
}

TEST_CASE("an any_stream tells of a failure in the words of its stream") {
  static_assert(!cove::io::detail::transfer_room::fits<decltype(std::declval<chatty&>().read_some(
                    std::span<std::byte>()))>);
  run_in(plain_options(), []() -> task<> {
    auto one = cove::io::duplex(3);
    co_await check_told_as_by(std::move(one.near), any_stream(std::move(one.far)));
    auto two = cove::io::duplex(3);
    co_await check_told_as_by(std::move(two.near), any_stream(chatty(std::move(two.far))));
    auto inner = cove::io::duplex(3);
    any_stream shouts(shouting(std::move(inner.near)));
    const std::string said = co_await outcome_of(shouts.read_some(std::span<std::byte>()));
    CHECK(said.starts_with("read_some: invalid argument (EINVAL)"));
  });
}

TEST_CASE("what does not fit into an any_stream moves its bytes, and counts them") {
  run_in(plain_options(), []() -> task<> {
    auto ends = cove::io::duplex(10);
    any_stream any(chatty(std::move(ends.near)));
    co_await any.write_all(bytes_of("abc"));
    const cove::io_result more = co_await any.write_all(bytes_of("de")).as_result();
    CHECK(more.n == 2);
    const std::size_t some = co_await any.write_some(bytes_of("f"));
    CHECK(some == 1);
    std::array<std::byte, 6> room;
    co_await ends.far.read_exact(room);
    CHECK(static_cast<char>(room[5]) == 'f');
    auto late = any.write_all(bytes_of("0123456789xyz"));
    auto limited = cove::with_timeout(std::move(late), std::chrono::milliseconds(1));
    std::size_t moved = 0;
    try {
      co_await std::move(limited);
    } catch (const cove::io_error& cut) {
      moved = cut.transferred();
    }
    CHECK(moved == 10);
  });
}

TEST_CASE("an empty any_stream is closed") {
  run_in(plain_options(), []() -> task<> {
    any_stream none;
    std::array<std::byte, 3> room;
    const cove::io_result read = co_await none.read_some(room).as_result();
    CHECK(read.error == cove::errc::closed);
    const std::error_code closed = co_await none.close();
    CHECK(closed == cove::errc::closed);
    CHECK(none.empty());
    const std::string ended = co_await outcome_of(read_all(&none));
    CHECK(ended == "read_some: closed on this side");
  });
}

TEST_CASE("C09 a read through an any_stream that is cancelled leaves the bytes to the next one") {
  run_in(plain_options(1), []() -> task<> {
    auto ends = cove::io::duplex(8);
    any_stream plain(std::move(ends.near));
    auto reading = cove::spawn(read_all, &plain);
    co_await settle();
    reading.cancel();
    co_await ends.far.write_all(bytes_of("kept"));
    const std::string ended = co_await outcome_of(std::move(reading));
    CHECK(ended == "canceled");
    ends.far.shutdown_write();
    const std::string got = co_await read_all(&plain);
    CHECK(got == "kept");
  });
}

}  // namespace
