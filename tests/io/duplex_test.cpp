#include <cove/io/duplex.hpp>

#include "support/cancel_sweep.hpp"
#include "support/stress.hpp"

#include <cove/io/buffer.hpp>
#include <cove/io/stream.hpp>

#include <algorithm>
#include <array>

namespace {

using namespace cove::test;
using cove::task;
using cove::io::bytes_of;
using cove::io::duplex;
using cove::io::duplex_stream;

static_assert(cove::io::byte_stream<duplex_stream>);
static_assert(!cove::io::readable_stream<int>);

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i ^ (i >> 8) ^ (i >> 16));
  return text;
}

/// Reads up to the end of the stream.
task<std::string> read_all(duplex_stream* from) {
  std::string all;
  std::array<std::byte, 7> room;
  while (const std::size_t n = co_await from->read_some(room))
    all += text_of(std::span(room).first(n));
  co_return all;
}

task<> write_and_finish(duplex_stream* to, std::string text) {
  co_await to->write_all(bytes_of(text));
  to->shutdown_write();
}

TEST_CASE(
    "S03 S12 what is written into a duplex comes out in order, then the end, again and again") {
  run_in(plain_options(4), []() -> task<> {
    constexpr std::array<std::size_t, 4> capacities{1, 3, 64, 100'000};
    for (const std::size_t capacity : capacities) {
      auto [near, far] = duplex(capacity);
      const std::string text = pattern(20'000);
      auto writing = cove::spawn(write_and_finish, &near, text);
      const std::string got = co_await read_all(&far);
      CHECK(got == text);
      co_await writing;
      std::array<std::byte, 1> room;
      const std::size_t again = co_await far.read_some(room);
      CHECK(again == 0);
    }
  });
}

TEST_CASE("S13 the end of one direction of a duplex leaves the other one open") {
  run_in(plain_options(), []() -> task<> {
    auto [near, far] = duplex(16);
    near.shutdown_write();
    near.shutdown_write();
    co_await far.write_all(bytes_of("still"));
    std::array<std::byte, 5> room;
    co_await near.read_exact(room);
    CHECK(text_of(room) == "still");
    const cove::io_result refused = co_await near.write_all(bytes_of("x")).as_result();
    CHECK(refused.error == std::errc::broken_pipe);
    const cove::io_result ended = co_await far.read_exact(room).as_result();
    CHECK(ended.error == cove::errc::unexpected_end);
  });
}

TEST_CASE("S03 a writer of a duplex waits when its capacity is full, and goes on when it is read") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(8);
    auto* stream = &near;
    auto writing = cove::spawn([stream] { return write_and_finish(stream, "0123456789abcdef"); });
    co_await settle();
    CHECK(!writing.done());
    std::array<std::byte, 5> room;
    co_await far.read_exact(room);
    CHECK(text_of(room) == "01234");
    co_await settle();
    CHECK(!writing.done());
    const std::string rest = co_await read_all(&far);
    CHECK(rest == "56789abcdef");
    co_await writing;
  });
}

TEST_CASE("S10 an empty write to a duplex does nothing, and an empty read is refused") {
  run_in(plain_options(), []() -> task<> {
    auto [near, far] = duplex(8);
    co_await near.write_all(std::span<const std::byte>());
    const std::size_t none = co_await near.write_some(std::span<const std::byte>());
    CHECK(none == 0);
    const cove::io_result read = co_await far.read_some(std::span<std::byte>()).as_result();
    CHECK(read.error == std::errc::invalid_argument);
    co_await far.read_exact(std::span<std::byte>());
  });
}

TEST_CASE("S19 a second reader of a duplex is refused") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(8);
    auto reading = cove::spawn(read_all, &far);
    co_await settle();
    std::array<std::byte, 4> room;
    const cove::io_result second = co_await far.read_some(room).as_result();
    CHECK(second.error == cove::errc::operation_in_progress);
    near.shutdown_write();
    const std::string nothing = co_await reading;
    CHECK(nothing.empty());
  });
}

TEST_CASE("closing an end of a duplex ends its own read and breaks a write of the other end") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(4);
    auto reading = cove::spawn(read_all, &near);
    co_await settle();
    const std::error_code closed = co_await near.close();
    CHECK(!closed);
    const auto read = co_await reading.as_result();
    CHECK(read.error() == cove::errc::closed);
    const std::error_code again = co_await near.close();
    CHECK(again == cove::errc::closed);
    std::array<std::byte, 4> room;
    const cove::io_result after = co_await near.read_some(room).as_result();
    CHECK(after.error == cove::errc::closed);
    const std::size_t end = co_await far.read_some(room);
    CHECK(end == 0);

    auto others = duplex(4);
    auto writing = cove::spawn(write_and_finish, &others.far, "123456");
    co_await settle();
    CHECK(!writing.done());
    const std::error_code gone = co_await others.near.close();
    CHECK(!gone);
    const auto written = co_await writing.as_result();
    CHECK(written.error() == std::errc::broken_pipe);
  });
}

TEST_CASE("a duplex end that is destroyed under its reader ends that with closed") {
  run_in(plain_options(1), []() -> task<> {
    auto ends = duplex(4);
    auto near = std::make_unique<duplex_stream>(std::move(ends.near));
    auto reading = cove::spawn(read_all, near.get());
    co_await settle();
    near.reset();
    const auto read = co_await reading.as_result();
    CHECK(read.error() == cove::errc::closed);
    // What was written before is still there for the other end, and then its end.
    std::array<std::byte, 4> room;
    const std::size_t end = co_await ends.far.read_some(room);
    CHECK(end == 0);
  });
}

TEST_CASE("a duplex of nothing is refused by name, and an empty end is closed") {
  CHECK_THROWS_WITH(static_cast<void>(duplex(0)),
                    "duplex 0: invalid argument (EINVAL); give room for at least one byte");
  run_in(plain_options(), []() -> task<> {
    duplex_stream none;
    std::array<std::byte, 4> room;
    const cove::io_result read = co_await none.read_some(room).as_result();
    CHECK(read.error == cove::errc::closed);
    const std::error_code closed = co_await none.close();
    CHECK(closed == cove::errc::closed);
  });
}

TEST_CASE("M07 an end of a duplex serves another runtime than the other end") {
  auto [near, far] = duplex(5);
  auto* to = &near;
  auto* from = &far;
  run_in(plain_options(), [to, from](cove::runtime& here) {
    run_in(plain_options(), [to, from, &here](cove::runtime& there) {
      std::string got;
      std::thread reading([&] { got = there.block_on([from] { return read_all(from); }); });
      here.block_on([to] { return write_and_finish(to, pattern(5000)); });
      reading.join();
      CHECK(got == pattern(5000));
    });
  });
}

// ----- cancellation -----

void pass_on(std::error_code error) {
  if (error) cove::detail::throw_error(error, "transfer");
}

struct duplex_fixture {
  cove::io::duplex_ends ends = duplex(4);
  std::string got;
  std::array<std::byte, 16> buffer{};
};

struct duplex_read : duplex_fixture {
  static constexpr std::string_view all = "firstend";
  int given = 0;
  cove::semaphore wanted{0};
  cove::join_handle<> writer = cove::spawn(write_parts, this);

  task<> wait() {
    const auto room = std::span(buffer).first(all.size() - got.size());
    const cove::io_result moved = co_await ends.far.read_exact(room).as_result();
    got += text_of(room.first(moved.n));
    pass_on(moved.error);
  }
  static task<> write_parts(duplex_read* self) {
    for (std::size_t sent = 0; sent < all.size(); sent += 4) {
      co_await take(&self->wanted);
      co_await self->ends.near.write_all(bytes_of(all.substr(sent, 4)));
    }
  }
  bool give() {
    wanted.release();
    return ++given < 2;
  }
  task<> finish() { co_await writer; }
  bool settled() const { return got == all; }
};

struct duplex_write : duplex_fixture {
  static constexpr std::string_view all = "0123456789ab";
  std::size_t moved = 0;
  int asked = 0;
  cove::semaphore wanted{0};
  cove::join_handle<> reader = cove::spawn(read_parts, this);

  task<> wait() {
    const auto rest = bytes_of(all.substr(moved));
    const cove::io_result done = co_await ends.near.write_all(rest).as_result();
    moved += done.n;
    pass_on(done.error);
  }
  /// What does not fit has to be read.
  static task<> read_parts(duplex_write* self) {
    std::array<std::byte, 4> room;
    for (int i = 0; i < 3; ++i) {
      co_await take(&self->wanted);
      co_await self->ends.far.read_exact(room);
      self->got += text_of(room);
    }
  }
  bool give() {
    wanted.release();
    return ++asked < 2;
  }
  task<> finish() {
    wanted.release();
    co_await reader;
  }
  bool settled() const { return moved == all.size() && got == all; }
};

constexpr sweep_line waits[] = {
    line_of<duplex_read>("duplex read_exact"),
    line_of<duplex_write>("duplex write_all"),
};

TEST_CASE("C09 K16 K17 K20 every wait on a duplex, asked to end at each of its moments") {
  sweep(waits, plain_options());
}

TEST_CASE("C09 K16 K17 every wait on a duplex, asked to end by others and by timers") {
  race_against(waits, plain_options(), stress_seed(), sanitized ? 200 : 1000);
}

}  // namespace
