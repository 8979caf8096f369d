#include <cove/io/buffered_reader.hpp>

#include "support/cancel_sweep.hpp"
#include "support/forked_child.hpp"
#include "support/stress.hpp"

#include <cove/io/any_stream.hpp>
#include <cove/io/duplex.hpp>
#include <cove/io/framing.hpp>
#include <cove/io/read_to_end.hpp>

#include <array>
#include <csignal>

namespace {

using namespace cove::test;
using namespace std::string_view_literals;
using cove::task;
using cove::io::buffered_reader;
using cove::io::bytes_of;
using cove::io::duplex;
using cove::io::duplex_stream;
using cove::io::frame_format;
using cove::io::prefix_size;

static_assert(cove::io::readable_stream<buffered_reader<duplex_stream>>);
static_assert(cove::io::readable_stream<buffered_reader<duplex_stream&>>);

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Writes `text` in parts of `part` bytes, each when the one before was read, then ends.
task<> send(duplex_stream* to, std::string text, std::size_t part) {
  for (std::size_t at = 0; at < text.size(); at += part)
    co_await to->write_all(bytes_of(std::string_view(text).substr(at, part)));
  to->shutdown_write();
}

TEST_CASE("S23 read_until finds a delimiter wherever the edges of the parts are") {
  run_in(plain_options(1), []() -> task<> {
    const std::string text = "head--\r\n\r\r\n\r\nbody";
    for (std::size_t part = 1; part <= text.size(); ++part) {
      auto [near, far] = duplex(part);
      auto sending = cove::spawn(send, &far, text, part);
      buffered_reader reader(near);
      const std::string head(co_await reader.read_until("\r\n\r\n", 64));
      CHECK(head == "head--\r\n\r\r\n\r\n");
      std::array<std::byte, 4> body;
      co_await reader.read_exact(body);
      CHECK(text_of(body) == "body");
      const std::size_t end = co_await reader.read_some(body);
      CHECK(end == 0);
      co_await sending;
    }
  });
}

TEST_CASE("S23 read_line takes LF and CR LF, and the end of the stream only between lines") {
  run_in(plain_options(1), []() -> task<> {
    constexpr std::array<std::size_t, 4> parts{1, 2, 3, 100};
    for (const std::size_t part : parts) {
      auto [near, far] = duplex(part);
      auto sending = cove::spawn(send, &far, "one\r\n\ntwo\rx\nopen", part);
      buffered_reader reader(near);
      std::string got;
      for (int i = 0; i < 3; ++i) {
        const auto line = co_await reader.read_line(6);
        got += std::string(line.value_or("?")) + "|";
      }
      CHECK(got == "one||two\rx|");
      const std::string ended = co_await outcome_of(reader.read_line(6));
      CHECK(ended ==
            "read_line: end of stream inside a read; 4 bytes came before it, which "
            "are still buffered()");
      CHECK(text_of(reader.buffered()) == "open");
      const auto last = co_await reader.read_line(6, cove::io::last_line::may_end);
      CHECK(last.value_or("?") == "open");
      const auto none = co_await reader.read_line(6);
      CHECK(!none.has_value());
      co_await sending;
    }
  });
}

TEST_CASE(
    "S23 what is longer than its maximum is an error, however it comes, and nothing is lost") {
  run_in(plain_options(1), []() -> task<> {
    constexpr std::array<std::size_t, 4> parts{1, 4, 5, 100};
    for (const std::size_t part : parts) {
      auto [near, far] = duplex(part);
      auto sending = cove::spawn(send, &far, "12345\r\nrest\n", part);
      buffered_reader reader(near);
      const std::string line = co_await outcome_of(reader.read_line(4));
      CHECK(line ==
            "read_line: message too long (EMSGSIZE); there is no end within the 4 bytes "
            "that are allowed; none of it was taken");
      const std::string until = co_await outcome_of(reader.read_until("\n", 6));
      CHECK(until.starts_with("read_until: message too long (EMSGSIZE)"));
      const std::string whole(co_await reader.read_until("\n", 7));
      CHECK(whole == "12345\r\n");
      const auto rest = co_await reader.read_line(4);
      CHECK(rest.value_or("?") == "rest");
      co_await sending;
    }
  });
}

TEST_CASE("S23 an exact or delimited read of a stream that ends is an unexpected end") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(16);
    co_await far.write_all(bytes_of("abc"));
    far.shutdown_write();
    buffered_reader reader(std::move(near));
    const auto until = co_await reader.read_until(";", 10).as_result();
    CHECK(until.error() == cove::errc::unexpected_end);
    const auto peeked = co_await reader.peek(4).as_result();
    CHECK(peeked.error() == cove::errc::unexpected_end);
    std::array<std::byte, 5> room;
    const cove::io_result exact = co_await reader.read_exact(room).as_result();
    CHECK(exact.error == cove::errc::unexpected_end);
    CHECK(exact.n == 3);
    CHECK(text_of(std::span(room).first(exact.n)) == "abc");
    CHECK(reader.buffered().empty());
    const cove::io_result again = co_await reader.read_exact(room).as_result();
    CHECK(again.error == cove::errc::unexpected_end);
    CHECK(again.n == 0);
    const auto nothing = co_await reader.read_until(";", 10).as_result();
    CHECK(nothing.error() == cove::errc::unexpected_end);
  });
}

TEST_CASE("S11 what was peeked at is read later, and fill adds to it") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(4);
    auto sending = cove::spawn(send, &far, "abcdefgh", std::size_t{4});
    buffered_reader reader(near);
    const auto seen = co_await reader.peek(3);
    CHECK(text_of(seen) == "abcd");
    const std::size_t more = co_await reader.fill();
    CHECK(more == 4);
    CHECK(text_of(reader.buffered()) == "abcdefgh");
    reader.consume(6);
    std::array<std::byte, 8> room;
    const std::size_t n = co_await reader.read_some(room);
    CHECK(text_of(std::span(room).first(n)) == "gh");
    const std::size_t end = co_await reader.fill();
    CHECK(end == 0);
    co_await sending;
  });
}

/// How a child ends in which `body` is a fault; what it says of that is not shown.
template <class Body>
int outcome_of_fault(Body body) {
  return outcome_in_child([&] {
    ::signal(SIGABRT, SIG_DFL);
    ::close(STDERR_FILENO);
    body();
  });
}

TEST_CASE("S11 to consume more than is buffered ends the program") {
  CHECK(outcome_of_fault([] {
          auto ends = duplex(8);
          buffered_reader reader(std::move(ends.near));
          reader.consume(1);
        }) == -SIGABRT);
  cove::io::detail::byte_buffer buffer;
  const std::size_t room = buffer.prepare(1).size();
  CHECK(outcome_of_fault([&] { buffer.commit(room + 1); }) == -SIGABRT);
  buffer.commit(3);
  CHECK(outcome_of_fault([&] { buffer.consume(4); }) == -SIGABRT);
  CHECK(outcome_of_fault([&] { buffer.adopt({}); }) == -SIGABRT);
  CHECK(outcome_of_fault([&] { buffer.consume(3); }) == 0);
}

TEST_CASE("S09 an empty read, delimiter or maximum is refused or an error, and takes nothing") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(4);
    co_await far.write_all(bytes_of("x\n"));
    buffered_reader reader(near);
    const cove::io_result read = co_await reader.read_some(std::span<std::byte>()).as_result();
    CHECK(read.error == std::errc::invalid_argument);
    const auto until = co_await reader.read_until("", 4).as_result();
    CHECK(until.error() == std::errc::invalid_argument);
    const auto line = co_await reader.read_line(0).as_result();
    CHECK(line.error() == std::errc::message_size);
    CHECK(reader.buffered().size() == 2);
    co_await reader.read_exact(std::span<std::byte>());
  });
}

TEST_CASE("S23 pieces larger than a buffer are read in one piece") {
  run_in(plain_options(), []() -> task<> {
    auto [near, far] = duplex(1000);
    std::string text(100'000, 'x');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
    const std::string sent = "short;" + text + ";" + text;
    auto sending = cove::spawn(send, &far, sent, std::size_t{4096});
    buffered_reader reader(near);
    const std::string first(co_await reader.read_until(";", 10));
    CHECK(first == "short;");
    const std::string second(co_await reader.read_until(";", text.size() + 1));
    CHECK(second == text + ";");
    std::vector<std::byte> room(text.size());
    co_await reader.read_exact(room);
    CHECK(text_of(room) == text);
    co_await sending;
  });
}

TEST_CASE("M10 lines that are buffered do not keep a worker from others") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(100'000);
    co_await far.write_all(bytes_of(std::string(50'000, '\n')));
    buffered_reader reader(near);
    bool other = false;
    auto beside = cove::spawn([&other]() -> task<> {
      other = true;
      co_return;
    });
    int lines = 0;
    while (!other && lines < 40'000) {
      static_cast<void>(co_await reader.read_line(1));
      ++lines;
    }
    CHECK(lines < 40'000);
    co_await beside;
  });
}

TEST_CASE("read_to_end gives all of a stream, or says that it is too much and keeps it") {
  run_in(plain_options(), []() -> task<> {
    auto [near, far] = duplex(10);
    auto sending = cove::spawn(send, &far, std::string(1000, 'y'), std::size_t{7});
    const std::string all = co_await cove::io::read_to_end(near, 1000);
    CHECK(all == std::string(1000, 'y'));
    co_await sending;

    auto others = duplex(2000);
    co_await others.far.write_all(bytes_of(std::string(1000, 'z')));
    others.far.shutdown_write();
    std::string text = "before";
    const cove::io_result more = co_await cove::io::read_to_end(others.near, text, 999).as_result();
    CHECK(more.error == std::errc::message_size);
    CHECK(more.n == 1000);
    CHECK(text == "before" + std::string(1000, 'z'));
  });
}

// ----- frames -----

task<> send_frames(duplex_stream* to, frame_format format, int count) {
  cove::io::buffered_writer writer(*to, 100);
  for (int i = 0; i < count; ++i) {
    const std::string text(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
    co_await cove::io::write_frame(writer, bytes_of(text), format);
  }
  co_await writer.shutdown_write();
}

TEST_CASE("S23 frames of every kind of prefix arrive whole, and the stream ends between them") {
  run_in(plain_options(1), []() -> task<> {
    constexpr std::array sizes{prefix_size::one, prefix_size::two, prefix_size::four,
                               prefix_size::eight};
    constexpr std::array orders{std::endian::big, std::endian::little};
    for (const prefix_size size : sizes) {
      for (const std::endian order : orders) {
        auto [near, far] = duplex(17);
        const frame_format format(255, size, order);
        auto sending = cove::spawn(send_frames, &far, format, 200);
        buffered_reader reader(near);
        int frames = 0;
        for (;; ++frames) {
          const auto frame = co_await cove::io::read_frame(reader, format);
          if (!frame) break;
          CHECK(frame->size() == static_cast<std::size_t>(frames));
          CHECK(text_of(*frame) ==
                std::string(frame->size(), static_cast<char>('a' + frames % 26)));
        }
        CHECK(frames == 200);
        co_await sending;
      }
    }
  });
}

TEST_CASE("S23 the prefix of a frame is as its format says") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(64);
    cove::io::buffered_writer writer(far);
    co_await cove::io::write_frame(writer, bytes_of("ab"), frame_format(9));
    co_await cove::io::write_frame(writer, bytes_of("c"),
                                   frame_format(9, prefix_size::two, std::endian::little));
    co_await writer.shutdown_write();
    const std::string all = co_await cove::io::read_to_end(near, 64);
    CHECK(all == "\0\0\0\2ab\1\0c"sv);
  });
}

TEST_CASE(
    "S23 a frame that is longer than allowed is refused unread, and one that is cut short too") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(64);
    co_await far.write_all(bytes_of("\0\0\0\5hello\xff\xff\xff\xff"sv));
    far.shutdown_write();
    buffered_reader reader(near);
    const std::string four = co_await outcome_of(cove::io::read_frame(reader, frame_format(4)));
    CHECK(four ==
          "read_frame of 5 bytes: message too long (EMSGSIZE); 4 are allowed; none of it "
          "was taken");
    const auto five = co_await cove::io::read_frame(reader, frame_format(5));
    CHECK(text_of(five.value()) == "hello");
    const std::string huge = co_await outcome_of(cove::io::read_frame(reader, frame_format(100)));
    CHECK(huge.starts_with("read_frame of 4294967295 bytes: message too long"));
    const auto cut = co_await cove::io::read_frame(reader, frame_format(SIZE_MAX)).as_result();
    CHECK(cut.error() == cove::errc::unexpected_end);
    CHECK(reader.buffered().size() == 4);
  });
}

TEST_CASE("a frame that does not fit its prefix, and a line with a line inside, are refused") {
  run_in(plain_options(1), []() -> task<> {
    auto [near, far] = duplex(64);
    cove::io::buffered_writer writer(near);
    const std::string large(300, 'x');
    const std::string framed = co_await outcome_of(
        cove::io::write_frame(writer, bytes_of(large), frame_format(1000, prefix_size::one)));
    CHECK(framed ==
          "write_frame of 300 bytes: message too long (EMSGSIZE); 255 are what the prefix "
          "can say; take a larger one");
    const auto allowed =
        co_await cove::io::write_frame(writer, bytes_of(large), frame_format(299)).as_result();
    CHECK(allowed.error() == std::errc::message_size);
    const auto line = co_await cove::io::write_line(writer, "a\nb").as_result();
    CHECK(line.error() == std::errc::invalid_argument);
    const std::string ends = co_await outcome_of(cove::io::write_line(writer, "abc\r"));
    CHECK(ends.starts_with("write_line: invalid argument (EINVAL); the line ends in CR"));
    CHECK(writer.unflushed() == 0);
    co_await cove::io::write_line(writer, "\ra", "\n");
    CHECK(writer.discard() == 3);
    co_await cove::io::write_line(writer, "ab", "\r\n");
    CHECK(writer.unflushed() == 4);
    CHECK(writer.discard() == 4);
  });
}

// ----- cancellation -----

/// The other end sends `all` in three parts.
struct reading {
  explicit reading(std::string what) : all(std::move(what)) {}
  cove::io::duplex_ends ends = duplex(64);
  buffered_reader<duplex_stream&> reader{ends.near};
  std::string all;
  std::string got;
  int given = 0;
  cove::semaphore wanted{0};
  cove::join_handle<> sender = cove::spawn(send_parts, this);

  static task<> send_parts(reading* self) {
    const std::size_t part = (self->all.size() + 2) / 3;
    for (std::size_t at = 0; at < self->all.size(); at += part) {
      co_await take(&self->wanted);
      co_await self->ends.far.write_all(bytes_of(std::string_view(self->all).substr(at, part)));
    }
    self->ends.far.shutdown_write();
  }
  bool give() {
    wanted.release();
    return ++given < 3;
  }
  task<> finish() { co_await sender; }
  bool settled() const { return got == all && reader.buffered().empty(); }
};

struct until_read : reading {
  until_read() : reading("some head;") {}
  task<> wait() { got += co_await reader.read_until(";", 20); }
};
struct line_read : reading {
  line_read() : reading("some line\n") {}
  task<> wait() {
    const auto line = co_await reader.read_line(20);
    got = std::string(line.value_or("?")) + "\n";
  }
};
struct exact_read : reading {
  exact_read() : reading("just so many") {}
  std::array<std::byte, 12> room{};
  task<> wait() {
    const auto rest = std::span(room).subspan(got.size());
    const cove::io_result done = co_await reader.read_exact(rest).as_result();
    got += text_of(rest.first(done.n));
    if (done.error) cove::detail::throw_error(done.error, "read_exact");
  }
};
struct frame_read : reading {
  frame_read() : reading(std::string("\0\7payload"sv)) {}
  task<> wait() {
    const auto frame = co_await cove::io::read_frame(reader, frame_format(7, prefix_size::two));
    got = all.substr(0, 2) + std::string(text_of(frame.value()));
  }
};
struct end_read : reading {
  end_read() : reading("all of it") {}
  task<> wait() { static_cast<void>(co_await cove::io::read_to_end(ends.near, got, 100)); }
};

constexpr sweep_line waits[] = {
    line_of<until_read>("read_until"), line_of<line_read>("read_line"),
    line_of<exact_read>("read_exact"), line_of<frame_read>("read_frame"),
    line_of<end_read>("read_to_end"),
};

TEST_CASE("C09 K16 K17 K20 S23 every buffered read, asked to end at each of its moments") {
  sweep(waits, plain_options());
}

TEST_CASE("C09 K16 K17 S23 every buffered read, asked to end by others and by timers") {
  race_against(waits, plain_options(), stress_seed(), sanitized ? 100 : 500);
}

}  // namespace
