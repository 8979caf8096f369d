#include <cove/io/split.hpp>

#include "support/runtime_test.hpp"

#include <cove/io/any_stream.hpp>
#include <cove/io/buffer.hpp>
#include <cove/io/duplex.hpp>
#include <cove/runtime/virtual_time.hpp>

#include <array>

namespace {

using namespace cove::test;
using cove::task;
using cove::io::any_stream;
using cove::io::bytes_of;
using cove::io::duplex_stream;
using owned_reader = cove::io::read_half<duplex_stream>;
using owned_writer = cove::io::write_half<duplex_stream>;

static_assert(cove::io::readable_stream<owned_reader>);
static_assert(cove::io::writable_stream<owned_writer>);
static_assert(cove::io::readable_stream<cove::io::read_half<duplex_stream&>>);
static_assert(cove::io::writable_stream<cove::io::write_half<duplex_stream&>>);

task<> send(owned_writer to, int parts) {
  for (int i = 0; i < parts; ++i) co_await to.write_all(bytes_of("part"));
}

task<int> count(owned_reader from) {
  int bytes = 0;
  std::array<std::byte, 16> room;
  while (const std::size_t n = co_await from.read_some(room)) bytes += static_cast<int>(n);
  co_return bytes;
}

TEST_CASE("S18 halves of a stream go to two tasks, and the end of the writing one is told") {
  run_in(plain_options(4), []() -> task<> {
    auto [near, far] = cove::io::duplex(8);
    auto [reader, writer] = cove::io::split(std::move(near));
    auto [there, back] = cove::io::split(std::move(far));
    auto sending = cove::spawn(send, std::move(writer), 100);
    auto answering = cove::spawn(send, std::move(back), 50);
    auto counting = cove::spawn(count, std::move(there));
    const int answered = co_await count(std::move(reader));
    const int sent = co_await counting;
    CHECK(answered == 200);
    CHECK(sent == 400);
    co_await sending;
    co_await answering;
  });
}

TEST_CASE("S18 a stream ends when both of its halves are gone, in either order") {
  run_in(plain_options(), []() -> task<> {
    constexpr std::array<bool, 2> orders{false, true};
    for (const bool writer_first : orders) {
      auto [near, far] = cove::io::duplex(8);
      {
        auto halves = cove::io::split(std::move(near));
        if (writer_first) {
          const owned_writer gone = std::move(halves.writer);
        } else {
          const owned_reader gone = std::move(halves.reader);
        }
        const cove::io_result written = co_await far.write_some(bytes_of("x")).as_result();
        CHECK(!written.error);  // The other half is still there.
      }
      const cove::io_result written = co_await far.write_some(bytes_of("x")).as_result();
      CHECK(written.error == std::errc::broken_pipe);
      std::array<std::byte, 4> room;
      const std::size_t end = co_await far.read_some(room);
      CHECK(end == 0);
    }
  });
}

/// A duplex whose end is told by an await.
class awaited : public duplex_stream {
 public:
  explicit awaited(duplex_stream of) : duplex_stream(std::move(of)) {}
  task<> shutdown_write() {
    duplex_stream::shutdown_write();
    co_return;
  }
};
static_assert(cove::io::byte_stream<awaited>);

/// What the other end reads when the writing half of `near` has gone and the reading one has not:
/// an end of stream, or nothing for now.
task<std::string> seen_after_writer(any_stream near, duplex_stream far) {
  auto halves = cove::io::split(std::move(near));
  {
    const auto gone = std::move(halves.writer);
  }
  std::array<std::byte, 4> room;
  auto reading = cove::with_timeout(far.read_some(room), std::chrono::milliseconds(1));
  const auto read = co_await std::move(reading).as_result();
  if (!read) co_return "nothing";
  co_return *read == 0 ? "end" : "bytes";
}

TEST_CASE("S18 an any_stream ends with its writing half where the stream within would") {
  cove::test::run([]() -> task<> {
    auto plain = cove::io::duplex(8);
    const std::string told =
        co_await seen_after_writer(any_stream(std::move(plain.near)), std::move(plain.far));
    CHECK(told == "end");
    auto slow = cove::io::duplex(8);
    const std::string not_told =
        co_await seen_after_writer(any_stream(awaited(std::move(slow.near))), std::move(slow.far));
    CHECK(not_told == "nothing");
  });
}

TEST_CASE("S18 borrowed halves leave the stream as it is") {
  run_in(plain_options(), []() -> task<> {
    auto [near, far] = cove::io::duplex(8);
    {
      auto [reader, writer] = cove::io::split(near);
      co_await writer.write_all(bytes_of("ab"));
      CHECK(&reader.stream() == &near);
    }
    co_await near.write_all(bytes_of("cd"));
    std::array<std::byte, 4> room;
    co_await far.read_exact(room);
    CHECK(room[3] == std::byte{'d'});
  });
}

}  // namespace
