#include "support/process_test.hpp"

#include <sys/stat.h>

// What children read and write, what they inherit, and process::output.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;

task<std::string> read_all(cove::io::pipe_reader* from) {
  std::string all;
  std::array<std::byte, 1000> buffer;
  while (const std::size_t n = co_await from->read_some(buffer))
    all += text_of(std::span(buffer).first(n));
  co_return all;
}

/// An open descriptor of this test, without close-on-exec on purpose.
class leaky_descriptor {
 public:
  explicit leaky_descriptor(const char* path) : fd_(::open(path, O_RDONLY)) { REQUIRE(fd_ >= 0); }
  leaky_descriptor(const leaky_descriptor&) = delete;
  leaky_descriptor& operator=(const leaky_descriptor&) = delete;
  ~leaky_descriptor() { ::close(fd_); }
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

}  // namespace

// ----- R03 -----

TEST_CASE("R03 pipes to all three, used at once") {
  run_children([]() -> task<> {
    command what = shell("read line; echo out $line; echo err $line >&2; cat");
    what.input = stdio::pipe();
    what.output = stdio::pipe();
    what.errors = stdio::pipe();
    process child = co_await process::spawn(std::move(what));
    co_await child.in().write_all(bytes_of("first\nrest\n"));
    static_cast<void>(co_await child.in().close());
    const std::string out = co_await read_all(&child.out());
    const std::string err = co_await read_all(&child.err());
    const exit_status ended = co_await child.wait();
    CHECK(out == "out first\nrest\n");
    CHECK(err == "err first\n");
    CHECK(ended.success());
  });
}

TEST_CASE("R03 P04 a child's ends of pipes wait, this process's do not") {
  run_children([]() -> task<> {
    command what = waiting_child();
    what.output = stdio::pipe();
    process child = co_await process::spawn(std::move(what));
    CHECK((::fcntl(child.in().native_handle(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(child.out().native_handle(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(child.in().native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
    // One that did not wait would have failed by the time that it reads.
    for (int i = 0; i < 3; ++i) {
      std::array<std::byte, 4> buffer{};
      co_await child.in().write_all(bytes_of("ping"));
      co_await child.out().read_exact(buffer);
      CHECK(text_of(buffer) == "ping");
    }
  });
}

TEST_CASE("R03 the same pipe for output and errors, in the order in which it was written") {
  run_children([]() -> task<> {
    command what = shell("echo 1; echo 2 >&2; echo 3; echo 4 >&2");
    what.errors = stdio::same_as_output();
    const process_output all = co_await process::output(std::move(what), most);
    CHECK(all.out == "1\n2\n3\n4\n");
    CHECK(all.err.empty());
  });
}

TEST_CASE("R03 files are read, written from their beginning, and appended to") {
  const temporary_folder folder;
  folder.file("in", "what was there\n");
  folder.file("out", "much longer than what comes in its place\n");
  run_children([&]() -> task<> {
    for (int i = 0; i < 2; ++i) {
      command what = shell("cat; echo complaint >&2");
      what.input = stdio::file(folder / "in");
      what.output = stdio::file(folder / "out");
      what.errors = stdio::append(folder / "err");
      process child = co_await process::spawn(std::move(what));
      const exit_status ended = co_await child.wait();
      CHECK(ended.success());
    }
  });
  CHECK(contents_of(folder / "out") == "what was there\n");
  CHECK(contents_of(folder / "err") == "complaint\ncomplaint\n");
}

TEST_CASE("R03 nothing is asked for: an empty input, and output that is gone") {
  run_children([]() -> task<> {
    command what = shell("test -c /dev/stdin && test \"$(cat | wc -c)\" = 0 && echo gone");
    process child = co_await process::spawn(std::move(what));
    CHECK(child.in().is_closed());
    CHECK(child.out().is_closed());
    CHECK(child.err().is_closed());
    const exit_status ended = co_await child.wait();
    CHECK(ended.success());
  });
}

TEST_CASE("R03 ends of pipes that were made before, from one child to the next") {
  run_children([]() -> task<> {
    auto [reader, writer] = cove::io::make_pipe();
    command first("echo", "through");
    first.output = stdio::from(std::move(writer));
    CHECK(writer.is_closed());
    command second("cat");
    second.input = stdio::from(std::move(reader));
    process source = co_await process::spawn(std::move(first));
    const std::string came = co_await written_by(std::move(second));
    CHECK(came == "through\n");
    const exit_status ended = co_await source.wait();
    CHECK(ended.success());
    try {
      static_cast<void>(stdio::from(std::move(reader)));
      FAIL("a closed end was given");
    } catch (const cove::error& failure) {
      CHECK(failure.code() == cove::errc::closed);
    }
  });
}

TEST_CASE("R03 descriptors from 3 on are those that were given, wherever they stood") {
  constexpr int count = 60;
  const temporary_folder folder;
  // They stand where others are to go, and the other way round.
  std::vector<std::unique_ptr<leaky_descriptor>> files;
  for (int i = 0; i < count; ++i) {
    const std::string path = folder.file(std::to_string(i), std::to_string(i) + "\n");
    files.push_back(std::make_unique<leaky_descriptor>(path.c_str()));
  }
  run_children([&]() -> task<> {
    for (const int step : std::array{1, 7, 59}) {
      command what = shell("i=3; while [ -e /dev/fd/$i ]; do cat /dev/fd/$i; i=$((i + 1)); done");
      std::string expected;
      for (int i = 0; i < count; ++i) {
        const int which = i * step % count;
        what.more_descriptors.push_back(
            stdio::copy_of(files[static_cast<std::size_t>(which)]->fd()));
        expected += std::to_string(which) + "\n";
      }
      const std::string told = co_await written_by(std::move(what));
      CHECK(told == expected);
    }
  });
}

TEST_CASE("R03 a further descriptor may be a pipe's end, a file or nothing") {
  const temporary_folder folder;
  run_children([&]() -> task<> {
    auto [reader, writer] = cove::io::make_pipe();
    command what = shell("echo three >&3; echo four >&4; echo five >&5; echo six >&6");
    what.more_descriptors.push_back(stdio::from(std::move(writer)));
    what.more_descriptors.push_back(stdio::file(folder / "four"));
    what.more_descriptors.push_back(stdio::null());
    what.more_descriptors.push_back(stdio::append(folder / "four"));
    process child = co_await process::spawn(std::move(what));
    const std::string three = co_await read_all(&reader);
    const exit_status ended = co_await child.wait();
    CHECK(ended.success());
    CHECK(three == "three\n");
    CHECK(contents_of(folder / "four") == "four\nsix\n");
    command piped("true");
    piped.more_descriptors.push_back(stdio::pipe());
    const std::string told = co_await refusal_of(std::move(piped));
    CHECK(told.find("make_pipe()") != std::string::npos);
  });
}

// ----- R04 -----

TEST_CASE("R04 a child has no descriptor but its own, whoever opens some meanwhile") {
  run_children([]() -> task<> {
    const leaky_descriptor kept("/dev/null");
    std::atomic<bool> over{false};
    std::thread opens([&over] {
      while (!over.load()) {
        std::array<int, 8> made;
        for (int& each : made) each = ::open("/dev/zero", O_RDONLY);
        for (const int each : made) ::close(each);
      }
    });
    std::vector<std::string> seen;
    for (int i = 0; i < 30; ++i) {
      command what("ls", "/proc/self/fd");
      if (i % 2 == 1) what.more_descriptors.push_back(stdio::null());
      seen.push_back(co_await written_by(std::move(what)));
    }
    over.store(true);
    opens.join();
    // The last one is that of ls for the folder.
    for (std::size_t i = 0; i < seen.size(); ++i)
      CHECK(seen[i] == (i % 2 == 1 ? "0\n1\n2\n3\n4\n" : "0\n1\n2\n3\n"));
  });
}

// ----- R05 -----

TEST_CASE("R05 a child that closes its input early is no error") {
  const std::string much = pattern(3'000'000);
  run_children([&]() -> task<> {
    const process_output some =
        co_await process::output(shell("head -c 10; exec <&-; echo"), most, much);
    CHECK(some.status.success());
    CHECK(some.out == much.substr(0, 10) + "\n");
    const process_output none = co_await process::output(command("true"), most, much);
    CHECK(none.status.success());
    const process_output code = co_await process::output(shell("exit 9"), most, much);
    CHECK(code.status.code == 9);
  });
}

TEST_CASE("R05 a write to a child that has gone reports it, and raises no signal") {
  run_children([]() -> task<> {
    process child = co_await process::spawn(waiting_child());
    child.kill();
    static_cast<void>(co_await child.wait());
    const auto code = co_await code_of(child.in().write_all(bytes_of("for nobody")));
    CHECK(code == std::errc::broken_pipe);
  });
}

TEST_CASE("R05 large output at both ends, and large input, hold nobody up") {
  constexpr std::size_t size = 2'000'000;
  const std::string input = pattern(size);
  run_children([&]() -> task<> {
    const process_output echoed = co_await process::output(command("cat"), size, input);
    CHECK(echoed.status.success());
    CHECK(echoed.out == input);
    // All errors come first, then all output.
    const std::string zeros = "head -c " + std::to_string(size) + " /dev/zero";
    const process_output both = co_await process::output(shell(zeros + " >&2; " + zeros), size);
    CHECK(both.status.success());
    CHECK(both.out.size() == size);
    CHECK(both.err.size() == size);
  });
}

TEST_CASE("R05 one that writes more than allowed is killed, and the error says so") {
  run_children([]() -> task<> {
    const process_output exact = co_await process::output(command("echo", "12345"), 6);
    CHECK(exact.out == "12345\n");
    const std::string told = co_await outcome_of(process::output(command("yes"), 1000));
    CHECK(told.find("output of \"yes\"") == 0);
    CHECK(told.find("more than 1000 bytes") != std::string::npos);
    CHECK_FALSE(has_children());
    const auto code = co_await code_of(process::output(shell("echo 12345 >&2; cat"), 5, "x"));
    CHECK(code == std::errc::value_too_large);
    const process_output quiet = co_await process::output(command("true"), 0);
    CHECK(quiet.status.success());
    const process_output all = co_await process::output(command("echo"), SIZE_MAX);
    CHECK(all.out == "\n");
  });
}

// ----- R09 -----

TEST_CASE("R09 output that is cancelled has killed the program and taken its status") {
  const temporary_folder folder;
  run_children([&]() -> task<> {
    const std::string file = folder / "number";
    // It ignores requests to end, and does not look at its pipes.
    auto running = cove::spawn(
        [](std::string at) -> task<process_output> {
          command what = shell("trap '' TERM INT HUP; echo $$ > $0; exec sleep 1000");
          what.arguments.push_back(at);
          co_return co_await process::output(std::move(what), most, "unread");
        },
        file);
    const auto started = [&folder] { return contents_of(folder / "number").ends_with('\n'); };
    co_await until(started);
    const int number = std::stoi(contents_of(folder / "number"));
    CHECK(is_running(number));
    running.cancel();
    std::string ended;
    try {
      static_cast<void>(co_await std::move(running));
    } catch (const cove::canceled& asked) {
      ended = asked.what();
    }
    CHECK(ended.starts_with("output of \"sh\": "));
    CHECK_FALSE(is_running(number));
    CHECK_FALSE(has_children());
  });
}

TEST_CASE("R09 so has output that came too late") {
  run_children([]() -> task<> {
    for (int i = 0; i < 5; ++i) {
      auto limited = cove::with_timeout(process::output(command("sleep", "1000"), most), 20ms);
      std::string said;
      try {
        static_cast<void>(co_await std::move(limited));
      } catch (const cove::error& late) {
        CHECK(late.code() == cove::errc::deadline_exceeded);
        said = late.what();
      }
      // It may have been too late already for the start.
      if (!said.starts_with("spawn \"sleep\": deadline"))
        CHECK(said == "output of \"sleep\": deadline exceeded; it was killed");
      CHECK_FALSE(has_children());
    }
  });
}

TEST_CASE("R09 whenever it is asked to end, nothing of a start or a run is left") {
  run_children([]() -> task<> {
    int started = 0;
    int finished = 0;
    for (int step = 0; step < 120; ++step) {
      const auto limit = std::chrono::microseconds(step * 40);
      if (step % 2 == 0) {
        auto spawning = cove::with_timeout(process::spawn(waiting_child()), limit);
        const auto made = co_await std::move(spawning).as_result();
        if (made) ++started;
      } else {
        auto running = cove::with_timeout(process::output(command("cat"), most, "all"), limit);
        const auto all = co_await std::move(running).as_result();
        CHECK((!all || all->out == "all"));
        if (all) ++finished;
        if (!all) CHECK(all.error() == cove::errc::deadline_exceeded);
      }
    }
    MESSAGE(started, " were started in time, ", finished, " ran to their end");
  });
}
