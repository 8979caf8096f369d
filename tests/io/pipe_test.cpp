#include "support/net_test.hpp"

#include <cove/io/pipe.hpp>

#include <spawn.h>
#include <sys/wait.h>

#include <csignal>

// Pipes and FIFOs, and SIGPIPE, which nobody may see.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::io::const_buffer;
using cove::io::make_pipe;
using cove::io::mutable_buffer;
using cove::io::pipe_ends;
using cove::io::pipe_reader;
using cove::io::pipe_writer;

std::atomic<int> signals_seen{0};

/// SIGPIPE has a handler of the program's own, which must never run.
class sigpipe_counter {
 public:
  sigpipe_counter() {
    signals_seen = 0;
    struct sigaction counting{};
    counting.sa_handler = [](int) { ++signals_seen; };
    REQUIRE(::sigaction(SIGPIPE, &counting, &before_) == 0);
  }
  sigpipe_counter(const sigpipe_counter&) = delete;
  ~sigpipe_counter() { ::sigaction(SIGPIPE, &before_, nullptr); }

  /// Did none come, is none pending in this thread, and is its mask what it was?
  static bool is_quiet() {
    sigset_t set;
    if (::sigpending(&set) != 0 || ::sigismember(&set, SIGPIPE) != 0) return false;
    if (::pthread_sigmask(SIG_SETMASK, nullptr, &set) != 0) return false;
    return signals_seen == 0 && ::sigismember(&set, SIGPIPE) == 0;
  }

 private:
  struct sigaction before_{};
};

task<cove::io_result> read_into(pipe_reader* from, std::span<std::byte> buffer) {
  co_return co_await from->read_some(buffer).as_result();
}
task<cove::io_result> write_whole(pipe_writer* to, std::string_view text) {
  co_return co_await to->write_all(bytes_of(text)).as_result();
}

task<std::string> read_to_end(pipe_reader* from) {
  std::string all;
  std::vector<std::byte> buffer(64 * 1024);
  while (const std::size_t n = co_await from->read_some(buffer))
    all += text_of(std::span(buffer).first(n));
  co_return all;
}

}  // namespace

TEST_CASE("P01 a pipe carries bytes in order, and its end when the writer closes") {
  run_test([]() -> task<> {
    pipe_ends ends = make_pipe();
    const std::string text = pattern(1'000'000);
    auto reading = cove::spawn(read_to_end, &ends.reader);
    co_await until_waiting("read_some");
    co_await ends.writer.write_all(bytes_of(text));
    const std::error_code closed = co_await ends.writer.close();
    CHECK_FALSE(closed);
    const std::string got = co_await reading;
    CHECK(got == text);
    std::array<std::byte, 4> buffer;
    const std::size_t again = co_await ends.reader.read_some(buffer);
    CHECK(again == 0);
  });
}

TEST_CASE("P01 every way to read and to write a pipe") {
  run_test([]() -> task<> {
    pipe_ends ends = make_pipe();
    const std::array<const_buffer, 3> parts{const_buffer("ab"), const_buffer(""),
                                            const_buffer("cdef")};
    std::array<std::byte, 2> first;
    std::array<std::byte, 4> second;
    const std::array<mutable_buffer, 2> places{mutable_buffer(std::span<std::byte>(first)),
                                               mutable_buffer(std::span<std::byte>(second))};
    // With the bytes there before, and with a reader that waits for them.
    for (const bool waits : no_and_yes) {
      const auto vectored = [&]() -> task<std::size_t> {
        co_return co_await ends.reader.read_some(places);
      };
      const auto exact = [&]() -> task<> { co_await ends.reader.read_exact(second); };
      const auto lent = [&]() -> task<std::string> {
        const cove::io::lease got = co_await ends.reader.receive();
        co_return std::string(text_of(got.bytes()));
      };
      const auto wait = [&]() -> task<> { co_await ends.reader.wait_readable(); };
      cove::join_handle<std::size_t> counting;
      if (waits) {
        counting = cove::spawn(vectored);
        co_await until_waiting("read_some");
      }
      co_await ends.writer.write_all(parts);
      if (!waits) counting = cove::spawn(vectored);
      const std::size_t n = co_await counting;
      CHECK(n == 6);
      CHECK(text_of(first) == "ab");
      CHECK(text_of(second) == "cdef");

      cove::join_handle<> doing;
      if (waits) {
        doing = cove::spawn(exact);
        co_await until_waiting("read_exact");
      }
      std::size_t some = co_await ends.writer.write_some(bytes_of("12"));
      CHECK(some == 2);
      some = co_await ends.writer.write_some(std::span(parts).first(1));
      CHECK(some == 2);
      if (!waits) doing = cove::spawn(exact);
      co_await doing;
      CHECK(text_of(second) == "12ab");

      cove::join_handle<std::string> lending;
      if (waits) {
        lending = cove::spawn(lent);
        co_await until_waiting("receive");
      }
      co_await ends.writer.write_all(bytes_of("lent"));
      if (!waits) lending = cove::spawn(lent);
      const std::string got = co_await lending;
      CHECK(got == "lent");

      if (waits) {
        doing = cove::spawn(wait);
        co_await until_waiting("wait_readable");
      }
      co_await ends.writer.wait_writable();
      CHECK(ends.writer.try_write(bytes_of("t")).n == 1);
      if (!waits) doing = cove::spawn(wait);
      co_await doing;
      CHECK(ends.reader.try_read(second).n == 1);
      CHECK(ends.reader.try_read(second).error == std::errc::operation_would_block);
    }
  });
}

TEST_CASE("P01 a write to a pipe that nobody reads is broken_pipe, and no signal") {
  const sigpipe_counter counter;
  run_test([]() -> task<> {
    pipe_ends ends = make_pipe();
    const std::string much = pattern(1'000'000);
    auto writing = cove::spawn(write_whole, &ends.writer, std::string_view(much));
    co_await until_waiting("write_all");
    co_await ends.reader.close();
    const cove::io_result cut = co_await writing;
    CHECK(cut.error == std::errc::broken_pipe);
    CHECK(cut.n > 0);
    CHECK(cut.n < much.size());
    const std::array<const_buffer, 2> parts{const_buffer("ab"), const_buffer("cd")};
    for (int i = 0; i < 10; ++i) {
      const cove::io_result one = co_await ends.writer.write_some(bytes_of("x")).as_result();
      CHECK(one.error == std::errc::broken_pipe);
      const cove::io_result all = co_await ends.writer.write_all(parts).as_result();
      CHECK(all.error == std::errc::broken_pipe);
      CHECK(ends.writer.try_write(bytes_of("x")).error == std::errc::broken_pipe);
      CHECK(sigpipe_counter::is_quiet());
    }
  });
  // A thread that no runtime has ever seen.
  pipe_ends ends = make_pipe();
  ends.reader = pipe_reader();
  CHECK(ends.writer.try_write(bytes_of("x")).error == std::errc::broken_pipe);
  CHECK(sigpipe_counter::is_quiet());
}

TEST_CASE("P05 closing a pipe ends the read that waits, and the write") {
  run_test([]() -> task<> {
    pipe_ends ends = make_pipe();
    std::array<std::byte, 4> buffer;
    auto reading = cove::spawn(read_into, &ends.reader, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    std::error_code closed = co_await ends.reader.close();
    CHECK_FALSE(closed);
    const cove::io_result got = co_await reading;
    CHECK(got.error == cove::errc::closed);
    closed = co_await ends.reader.close();
    CHECK(closed == cove::errc::closed);

    pipe_ends other = make_pipe();
    const std::string much = pattern(1'000'000);
    auto writing = cove::spawn(write_whole, &other.writer, std::string_view(much));
    co_await until_waiting("write_all");
    closed = co_await other.writer.close();
    CHECK_FALSE(closed);
    const cove::io_result put = co_await writing;
    CHECK(put.error == cove::errc::closed);
    // What was written can still be read, up to the end.
    const std::string rest = co_await read_to_end(&other.reader);
    CHECK(rest == std::string_view(much).substr(0, put.n));
  });
}

TEST_CASE("P05 a deadline ends a read and a write that wait, and each later one") {
  run_test([]() -> task<> {
    pipe_ends ends = make_pipe();
    std::array<std::byte, 4> buffer;
    ends.reader.set_read_deadline(cove::clock::now() + 1ms);
    cove::io_result got = co_await ends.reader.read_some(buffer).as_result();
    CHECK(got.error == cove::errc::deadline_exceeded);
    CHECK(ends.writer.try_write(bytes_of("abcd")).n == 4);
    const std::string much = pattern(1'000'000);
    ends.writer.set_write_deadline(cove::clock::now() + 1ms);
    const cove::io_result put = co_await ends.writer.write_all(bytes_of(much)).as_result();
    CHECK(put.error == cove::errc::deadline_exceeded);
    got = co_await ends.reader.read_some(buffer).as_result();
    CHECK(got.error == cove::errc::deadline_exceeded);
    ends.reader.set_read_deadline(cove::clock::time_point::max());
    got = co_await ends.reader.read_some(buffer).as_result();
    CHECK_FALSE(got.error);
    CHECK(got.n == 4);
  });
}

TEST_CASE("P04 a pipe that was adopted is read without waiting, and given back as it was") {
  run_test([]() -> task<> {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pipe_reader reader = pipe_reader::adopt(ends[0]);
    pipe_writer writer = pipe_writer::adopt(ends[1]);
    CHECK((::fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(ends[1], F_GETFD) & FD_CLOEXEC) != 0);
    std::array<std::byte, 4> buffer;
    auto reading = cove::spawn(read_into, &reader, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    CHECK(mentions(refusal([&] { return reader.release(); }), "release: "));
    co_await writer.write_all(bytes_of("ab"));
    const cove::io_result got = co_await reading;
    CHECK(got.n == 2);
    // Attached and not: both come out, blocking, and cove knows nothing of them any more.
    CHECK(reader.release() == ends[0]);
    CHECK(writer.release() == ends[1]);
    CHECK(reader.is_closed());
    CHECK(cove::runtime::current()->stats().descriptors == 0);
    const cove::io_result closed = co_await reader.read_some(buffer).as_result();
    CHECK(closed.error == cove::errc::closed);
    CHECK_THROWS_AS(reader.release(), cove::error);
    for (const int fd : ends) CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    CHECK(::write(ends[1], "cd", 2) == 2);
    reader = pipe_reader::adopt(ends[0]);
    const std::size_t n = co_await reader.read_some(buffer);
    CHECK(n == 2);
    ::close(ends[1]);
  });
}

TEST_CASE("P04 P05 a pipe is released at any moment of its use: once, or not at all") {
  run_test([]() -> task<> {
    for (int i = 0; i < 200; ++i) {
      pipe_ends ends = make_pipe();
      std::array<std::byte, 4> buffer;
      auto reading = cove::spawn(read_into, &ends.reader, std::span<std::byte>(buffer));
      for (int k = 0; k < i % 7; ++k) co_await cove::this_task::yield();
      const int number = ends.reader.native_handle();
      int out = -1;
      try {
        out = ends.reader.release();
      } catch (const cove::error& e) {
        CHECK(e.code() == std::errc::operation_in_progress);
      }
      if (out < 0) co_await ends.writer.write_all(bytes_of("ab"));
      const cove::io_result got = co_await reading;
      if (out < 0) {
        CHECK(got.n == 2);
      } else {
        CHECK(got.error == cove::errc::closed);
        CHECK(out == number);
        CHECK(::fcntl(out, F_GETFD) >= 0);
        ::close(out);
      }
    }
  });
}

TEST_CASE("P03 what is no pipe, and the wrong end of one, is refused and stays the caller's") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const raw_listener listener;
  CHECK(refusal([&] { return pipe_writer::adopt(ends[0]); }) ==
        "adopt descriptor " + std::to_string(ends[0]) +
            ": invalid argument (EINVAL); it is a pipe or FIFO; but cannot be written; make it a "
            "pipe_reader");
  CHECK(mentions(refusal([&] { return pipe_reader::adopt(ends[1]); }), "cannot be read"));
  CHECK(mentions(refusal([&] { return pipe_reader::adopt(file); }), "it is a regular file"));
  CHECK(mentions(refusal([&] { return pipe_reader::adopt(listener.fd()); }),
                 "it is a TCP socket that listens"));
  CHECK(mentions(refusal([&] { return pipe_reader::adopt(-1); }), "EBADF"));
  for (const int fd : ends) CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
  for (const int fd : {ends[0], ends[1], file}) CHECK(::close(fd) == 0);

  CHECK(refusal([] { return pipe_reader::open("/proc/self/exe"); }) ==
        "open \"/proc/self/exe\": invalid argument (EINVAL); it is a regular file, and no FIFO");
  CHECK(mentions(refusal([] { return pipe_reader::open("/"); }), "it is a directory"));
  CHECK(mentions(refusal([] { return pipe_reader::open("/no/such"); }),
                 "open \"/no/such\": no such file"));
  CHECK(mentions(refusal([] { return pipe_reader::open(std::string_view("a\0b", 3)); }), "NUL"));
}

TEST_CASE("P01 the capacity of a pipe can be asked and set") {
  pipe_ends ends = make_pipe();
  CHECK(ends.reader.capacity() == 65536);
  ends.writer.set_capacity(4096);
  CHECK(ends.reader.capacity() == 4096);
  std::vector<std::byte> much(8192);
  CHECK(ends.writer.try_write(much).n == 4096);
  CHECK_THROWS_WITH_AS(ends.reader.set_capacity(0),
                       doctest::Contains("set_capacity 0: invalid argument"), cove::error);
  ends.reader.set_capacity(100'000);
  CHECK(ends.reader.capacity() >= 100'000);
}

TEST_CASE("P01 a vectored write goes on where a full pipe cut it") {
  run_test([]() -> task<> {
    pipe_ends ends = make_pipe();
    ends.writer.set_capacity(4096);
    const std::string text = pattern(200'000);
    std::vector<const_buffer> parts;
    for (std::size_t at = 0; at < text.size(); at += 777)
      parts.emplace_back(std::string_view(text).substr(at, 777));
    const auto write = [&]() -> task<> {
      co_await ends.writer.write_all(parts);
      co_await ends.writer.close();
    };
    auto writing = cove::spawn(write);
    const std::string got = co_await read_to_end(&ends.reader);
    CHECK(got == text);
    co_await writing;
  });
}

// ----- with other programs -----

namespace {

/// A program between two pipes, of which cove has the other ends.
class filter {
 public:
  template <class... Words>
  explicit filter(Words... words) : filter(std::vector<std::string>{words...}) {}
  explicit filter(std::vector<std::string> command) {
    pipe_ends in = make_pipe();
    pipe_ends out = make_pipe();
    // Out of the runtime they are blocking, as a program expects.
    const int its_in = in.reader.release();
    const int its_out = out.writer.release();
    posix_spawn_file_actions_t moves;
    REQUIRE(::posix_spawn_file_actions_init(&moves) == 0);
    REQUIRE(::posix_spawn_file_actions_adddup2(&moves, its_in, STDIN_FILENO) == 0);
    REQUIRE(::posix_spawn_file_actions_adddup2(&moves, its_out, STDOUT_FILENO) == 0);
    std::vector<char*> words;
    for (std::string& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    REQUIRE(::posix_spawnp(&process_, words[0], &moves, nullptr, words.data(), environ) == 0);
    ::posix_spawn_file_actions_destroy(&moves);
    ::close(its_in);
    ::close(its_out);
    to = std::move(in.writer);
    from = std::move(out.reader);
  }
  filter(const filter&) = delete;
  ~filter() {
    to = pipe_writer();
    CHECK(::waitpid(process_, &status_, 0) == process_);
    CHECK(WIFEXITED(status_));
  }

  pipe_writer to;
  pipe_reader from;

 private:
  pid_t process_ = -1;
  int status_ = 0;
};

}  // namespace

TEST_CASE("P01 a megabyte goes through cat and comes back") {
  run_test([]() -> task<> {
    filter cat("cat");
    const std::string text = pattern(1'000'000);
    const auto write = [&]() -> task<> {
      co_await cat.to.write_all(bytes_of(text));
      co_await cat.to.close();
    };
    auto writing = cove::spawn(write);
    const std::string got = co_await read_to_end(&cat.from);
    CHECK(got == text);
    co_await writing;
  });
}

TEST_CASE("P01 a program that has had enough is broken_pipe for who writes to it, and no signal") {
  const sigpipe_counter counter;
  run_test([]() -> task<> {
    filter head("head", "-c", "10");
    const std::string text = pattern(2'000'000);
    auto writing = cove::spawn(write_whole, &head.to, std::string_view(text));
    const std::string got = co_await read_to_end(&head.from);
    CHECK(got == std::string_view(text).substr(0, 10));
    const cove::io_result put = co_await writing;
    CHECK(put.error == std::errc::broken_pipe);
  });
  CHECK(sigpipe_counter::is_quiet());
}

TEST_CASE("P01 a program's signals are not blocked because cove writes to pipes") {
  run_test([]() -> task<> {
    pipe_ends broken = make_pipe();
    broken.reader = pipe_reader();
    const cove::io_result put = co_await broken.writer.write_some(bytes_of("x")).as_result();
    CHECK(put.error == std::errc::broken_pipe);
    // Started by the thread that has just written. SigBlk: of that program.
    filter grep("grep", "SigBlk", "/proc/self/status");
    const std::string got = co_await read_to_end(&grep.from);
    CHECK(got == "SigBlk:\t0000000000000000\n");
  });
}
