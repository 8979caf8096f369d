#include <cove/io/buffered_writer.hpp>

#include "support/cancel_sweep.hpp"
#include "support/stress.hpp"

#include <cove/io/duplex.hpp>
#include <cove/io/framing.hpp>
#include <cove/io/read_to_end.hpp>

#include <array>

namespace {

using namespace cove::test;
using cove::task;
using cove::io::buffered_writer;
using cove::io::bytes_of;
using cove::io::duplex;
using cove::io::duplex_stream;

static_assert(cove::io::writable_stream<buffered_writer<duplex_stream>>);
static_assert(cove::io::writable_stream<buffered_writer<duplex_stream&>>);

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_CASE("a buffered writer writes when it is flushed, full, or given more than it holds") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(100);
    buffered_writer writer(near, 8);
    std::array<std::byte, 100> room;
    co_await writer.write_all(bytes_of("abc"));
    co_await writer.write_all(bytes_of("defgh"));
    CHECK(writer.unflushed() == 8);
    co_await writer.write_all(bytes_of("i"));
    CHECK(writer.unflushed() == 1);
    co_await far.read_exact(std::span(room).first(8));
    CHECK(text_of(std::span(room).first(8)) == "abcdefgh");
    co_await writer.flush();
    CHECK(writer.unflushed() == 0);
    co_await writer.flush();
    co_await writer.write_all(bytes_of("jk"));
    co_await writer.write_all(bytes_of("0123456789"));
    CHECK(writer.unflushed() == 0);
    const std::size_t some = co_await writer.write_some(bytes_of("ABCDEFGHIJ"));
    CHECK(some == 8);
    co_await writer.shutdown_write();
    const std::string rest = co_await cove::io::read_to_end(far, 100);
    CHECK(rest == "ijk0123456789ABCDEFGH");
  });
}

TEST_CASE("a buffered writer keeps what it could not write") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(4);
    buffered_writer writer(near, 16);
    co_await writer.write_all(bytes_of("0123456789"));
    constexpr auto soon = std::chrono::milliseconds(1);
    const cove::io_result late = co_await cove::with_timeout(writer.flush().as_result(), soon);
    CHECK(late.error == cove::errc::deadline_exceeded);
    CHECK(late.n == 4);
    CHECK(writer.unflushed() == 6);
    static_cast<void>(co_await far.close());
    const cove::io_result broken = co_await writer.flush().as_result();
    CHECK(broken.error == std::errc::broken_pipe);
    CHECK(writer.unflushed() == 6);
    CHECK(writer.discard() == 6);
  });
}

TEST_CASE("a buffered writer that was moved from has nothing to lose") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(64);
    buffered_writer first(std::move(near), 16);
    co_await first.write_all(bytes_of("kept"));
    buffered_writer second(std::move(first));
    CHECK(second.unflushed() == 4);
    co_await second.shutdown_write();
    const std::string all = co_await cove::io::read_to_end(far, 10);
    CHECK(all == "kept");
  });
}

// ----- cancellation -----

/// The other end reads four bytes at a time.
struct writing {
  explicit writing(std::string what) : all(std::move(what)) {}
  cove::io::duplex_ends ends = duplex(4);
  buffered_writer<duplex_stream&> writer{ends.near, 6};
  std::string all;
  std::string got;
  int asked = 0;
  cove::semaphore wanted{0};
  cove::join_handle<> reader = cove::spawn(read_parts, this);

  static task<> read_parts(writing* self) {
    std::array<std::byte, 4> room;
    for (int i = 0; i < 3; ++i) {
      co_await take(&self->wanted);
      const cove::io_result part = co_await self->ends.far.read_exact(room).as_result();
      self->got += text_of(std::span(room).first(part.n));
    }
    while (const std::size_t n = co_await self->ends.far.read_some(room))
      self->got += text_of(std::span(room).first(n));
  }
  bool give() {
    wanted.release();
    return ++asked < 3;
  }
  task<> finish() {
    wanted.release(3);
    co_await writer.shutdown_write();
    co_await reader;
  }
  bool settled() const { return got == all; }
};

struct all_written : writing {
  all_written() : writing("0123456789abcd") {}
  std::size_t taken = 0;
  task<> wait() {
    while (taken < all.size()) {
      // Small parts are collected, the large one goes by.
      const std::size_t part = taken < 4 ? 2 : all.size() - taken;
      const auto bytes = bytes_of(std::string_view(all).substr(taken, part));
      const cove::io_result done = co_await writer.write_all(bytes).as_result();
      taken += done.n;
      if (done.error) cove::detail::throw_error(done.error, "write_all");
    }
  }
};
struct flushed : writing {
  flushed() : writing("01234567") {}
  bool filled = false;
  task<> wait() {
    if (!std::exchange(filled, true)) co_await cove::shield(writer.write_whole(bytes_of(all)));
    co_await writer.flush();
  }
};
struct framed : writing {
  framed() : writing(std::string("\3abc\4defg\2hi")) {}
  std::size_t done = 0;
  task<> wait() {
    static constexpr std::array<std::string_view, 3> frames{"abc", "defg", "hi"};
    for (; done < frames.size(); ++done)
      co_await cove::io::write_frame(writer, bytes_of(frames[done]),
                                     cove::io::frame_format(9, cove::io::prefix_size::one));
  }
};

constexpr sweep_line waits[] = {
    line_of<all_written>("buffered write_all"),
    line_of<flushed>("flush"),
    line_of<framed>("write_frame"),
};

TEST_CASE("C09 K16 K17 K20 every buffered write, asked to end at each of its moments") {
  sweep(waits, plain_options());
}

TEST_CASE("C09 K16 K17 every buffered write, asked to end by others and by timers") {
  race_against(waits, plain_options(), stress_seed(), sanitized ? 100 : 500);
}

}  // namespace
