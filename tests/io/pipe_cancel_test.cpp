#include "support/cancel_sweep.hpp"

#include "support/net_test.hpp"
#include "support/stress.hpp"

#include <cove/io/fd_watch.hpp>
#include <cove/io/pipe.hpp>

// The table of all waits on pipes and foreign descriptors. What a fixture is stands at the head of
// support/cancel_sweep.hpp.

namespace {

using namespace cove::test;
using cove::task;
using cove::io::make_pipe;
using cove::io::pipe_ends;

/// Throws what `op` reports, when what it had moved has been counted.
void pass_on(std::error_code error) {
  if (error) cove::detail::throw_error(error, "transfer");
}

// ----- reading -----

/// Eight bytes in two parts.
struct reading {
  static constexpr bool external = true;
  static constexpr std::string_view all = "firstend";

  pipe_ends pipe = make_pipe();
  std::string got;
  std::size_t sent = 0;
  std::array<std::byte, 16> buffer{};

  std::span<std::byte> room() { return std::span(buffer).first(all.size() - got.size()); }
  void keep(std::size_t count) { got += text_of(std::span(buffer).first(count)); }
  bool give() {
    constexpr std::size_t part = all.size() / 2;
    const cove::io_result put = pipe.writer.try_write(bytes_of(all.substr(sent, part)));
    CHECK(put.n == part);
    sent += part;
    return sent < all.size();
  }
  bool settled() {
    const cove::io_result more = pipe.reader.try_read(buffer);
    return got == all && more.n == 0 && more.error == std::errc::operation_would_block;
  }
};

struct read_some : reading {
  task<> wait() {
    while (got.size() < all.size()) {
      const std::size_t count = co_await pipe.reader.read_some(room());
      keep(count);
    }
  }
};

struct read_exact : reading {
  task<> wait() {
    const cove::io_result moved = co_await pipe.reader.read_exact(room()).as_result();
    keep(moved.n);
    pass_on(moved.error);
  }
};

struct read_vectored : reading {
  task<> wait() {
    while (got.size() < all.size()) {
      const std::array<cove::io::mutable_buffer, 2> parts = halves(room());
      const std::size_t count = co_await pipe.reader.read_some(parts);
      keep(count);
    }
  }
  static std::array<cove::io::mutable_buffer, 2> halves(std::span<std::byte> whole) {
    const std::size_t half = whole.size() / 2;
    return {whole.first(half), whole.subspan(half)};
  }
};

struct receive : reading {
  task<> wait() {
    while (got.size() < all.size()) {
      const cove::io::lease lent = co_await pipe.reader.receive();
      got += text_of(lent.bytes());
    }
  }
};

struct readable : reading {
  task<> wait() {
    while (got.size() < all.size()) {
      co_await pipe.reader.wait_readable();
      const cove::io_result taken = pipe.reader.try_read(room());
      keep(taken.n);
    }
  }
};

struct watched : reading {
  cove::io::fd_watch watch{pipe.reader.native_handle()};
  task<> wait() {
    while (got.size() < all.size()) {
      co_await watch.wait_readable();
      const cove::io_result taken = pipe.reader.try_read(room());
      keep(taken.n);
    }
  }
};

// ----- writing -----

/// More than the pipe holds, which is taken out in parts.
struct writing {
  static constexpr bool external = true;
  static constexpr std::size_t total = 20'000;

  pipe_ends pipe = narrow();
  std::string text = pattern(total);
  std::size_t moved = 0;
  std::string got;

  static pipe_ends narrow() {
    pipe_ends made = make_pipe();
    made.writer.set_capacity(4096);
    return made;
  }
  std::span<const std::byte> rest() { return bytes_of(std::string_view(text).substr(moved)); }
  bool give() {
    std::array<std::byte, 5000> buffer;
    const cove::io_result taken = pipe.reader.try_read(buffer);
    got += text_of(std::span(buffer).first(taken.n));
    return got.size() < total;
  }
  bool settled() {
    while (got.size() < moved && give()) continue;
    return moved == total && got == text;
  }
};

struct write_some : writing {
  task<> wait() {
    while (moved < total) moved += co_await pipe.writer.write_some(rest());
  }
};

struct write_all : writing {
  task<> wait() {
    const cove::io_result done = co_await pipe.writer.write_all(rest()).as_result();
    moved += done.n;
    pass_on(done.error);
  }
};

struct writable : writing {
  task<> wait() {
    while (moved < total) {
      co_await pipe.writer.wait_writable();
      moved += pipe.writer.try_write(rest()).n;
    }
  }
};

constexpr sweep_line waits[] = {
    line_of<read_some>("read_some"),
    line_of<read_exact>("read_exact"),
    line_of<read_vectored>("read_some, vectored"),
    line_of<receive>("receive"),
    line_of<readable>("wait_readable"),
    line_of<watched>("fd_watch"),
    line_of<write_some>("write_some"),
    line_of<write_all>("write_all"),
    line_of<writable>("wait_writable"),
};

TEST_CASE("C09 K16 K17 K21 every wait on a pipe, asked to end at each of its moments") {
  const same_descriptors outside;
  sweep(waits, plain_options());
}

TEST_CASE("C09 K16 K17 K21 every wait on a pipe, asked to end by others and by timers") {
  const same_descriptors outside;
  constexpr int rounds = sanitized ? 40 : 150;
  race_against(waits, plain_options(), stress_seed(), rounds);
}

}  // namespace
