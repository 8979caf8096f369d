#include "support/forked_child.hpp"
#include "support/net_test.hpp"
#include "support/temporary_folder.hpp"

#include <cove/io/fd_watch.hpp>
#include <cove/io/fs_directory.hpp>
#include <cove/io/fs_watch.hpp>
#include <cove/io/pipe.hpp>
#include <cove/io/process.hpp>
#include <cove/io/signal_set.hpp>
#include <cove/io/standard_streams.hpp>
#include <cove/io/stream.hpp>

#include <sys/eventfd.h>
#include <sys/stat.h>

#include <termios.h>

#include <csignal>

// Standard input and output, as whatever they may be. The test puts it in their place, and what was
// there is back at its end.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::io::input_stream;
using cove::io::output_stream;
using cove::io::pipe_reader;
using cove::io::pipe_writer;
using cove::io::standard_input;
using cove::io::standard_output;

static_assert(cove::io::readable_stream<input_stream> && cove::io::writable_stream<output_stream>);
static_assert(cove::io::readable_stream<pipe_reader> && cove::io::writable_stream<pipe_writer>);

/// Descriptor `number` of the process is `fd` for a while; for -1, closed. Takes `fd`.
class in_place_of {
 public:
  in_place_of(int number, int fd) : number_(number), saved_(::fcntl(number, F_DUPFD_CLOEXEC, 100)) {
    REQUIRE(saved_ >= 0);
    if (number == STDOUT_FILENO) std::fflush(stdout);
    if (fd < 0) {
      REQUIRE(::close(number) == 0);
    } else {
      REQUIRE(::dup2(fd, number) == number);
      REQUIRE(::close(fd) == 0);
    }
  }
  in_place_of(const in_place_of&) = delete;
  ~in_place_of() {
    ::dup2(saved_, number_);
    ::close(saved_);
  }
  bool is_blocking() const { return (::fcntl(number_, F_GETFL) & O_NONBLOCK) == 0; }

 private:
  int number_;
  int saved_;
};

/// A pipe as a shell makes it.
struct plain_pipe {
  plain_pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reader = ends[0];
    writer = ends[1];
  }
  int reader;
  int writer;
};

/// A file that has no name.
int make_file(std::string_view content) {
  const int fd = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  REQUIRE(::lseek(fd, 0, SEEK_SET) == 0);
  return fd;
}

int open_device(const char* path) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
  REQUIRE(fd >= 0);
  return fd;
}

/// A pseudo-terminal: what a program sees, and the side of who sits before it.
struct pseudo_terminal {
  pseudo_terminal() : keyboard(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    char name[64];
    REQUIRE(::grantpt(keyboard) == 0);
    REQUIRE(::unlockpt(keyboard) == 0);
    REQUIRE(::ptsname_r(keyboard, name, sizeof name) == 0);
    terminal = open_device(name);
  }
  pseudo_terminal(const pseudo_terminal&) = delete;
  ~pseudo_terminal() { ::close(keyboard); }
  void type(std::string_view keys) const {
    REQUIRE(::write(keyboard, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }

  int keyboard;
  int terminal;  ///< Whoever takes it closes it.
};

task<cove::io_result> read_into(input_stream* from, std::span<std::byte> buffer) {
  co_return co_await from->read_some(buffer).as_result();
}
task<std::string> read_to_end(input_stream* from) {
  std::string all;
  std::array<std::byte, 3000> buffer;
  while (const std::size_t n = co_await from->read_some(buffer))
    all += text_of(std::span(buffer).first(n));
  co_return all;
}

}  // namespace

TEST_CASE("P04 input that is a pipe is waited for, and stays blocking for who shares it") {
  run_test([]() -> task<> {
    const plain_pipe line;
    const in_place_of stdin_is(STDIN_FILENO, line.reader);
    pipe_writer writer = pipe_writer::adopt(line.writer);
    input_stream in = standard_input();
    CHECK_FALSE(in.is_terminal());
    std::array<std::byte, 8> buffer;
    for (int i = 0; i < 3; ++i) {
      auto reading = cove::spawn(read_into, &in, std::span<std::byte>(buffer));
      co_await until_waiting("read_some");
      CHECK(stdin_is.is_blocking());
      co_await writer.write_all(bytes_of("abc"));
      const cove::io_result got = co_await reading;
      CHECK(text_of(std::span(buffer).first(got.n)) == "abc");
    }
    auto reading = cove::spawn(read_into, &in, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    co_await writer.close();
    cove::io_result got = co_await reading;
    CHECK_FALSE(got.error);
    CHECK(got.n == 0);
    std::error_code closed = co_await in.close();
    CHECK_FALSE(closed);
    got = co_await read_into(&in, buffer);
    CHECK(got.error == cove::errc::closed);
    CHECK(::fcntl(STDIN_FILENO, F_GETFD) >= 0);
  });
}

TEST_CASE("P04 input of a pipe whose writer has gone is read to its end") {
  run_test([]() -> task<> {
    const std::string text = pattern(40'000);
    for (const bool empty : no_and_yes) {
      const plain_pipe line;
      const in_place_of stdin_is(STDIN_FILENO, line.reader);
      const std::string_view sent = std::string_view(text).substr(0, empty ? 0 : text.size());
      REQUIRE(::write(line.writer, sent.data(), sent.size()) == static_cast<ssize_t>(sent.size()));
      REQUIRE(::close(line.writer) == 0);
      input_stream in = standard_input();
      const std::string got = co_await read_to_end(&in);
      CHECK(got == sent);
    }
  });
}

TEST_CASE("P04 output that is a pipe waits for a slow reader, and stays blocking") {
  const std::string text = pattern(500'000);
  std::string got;
  cove::io_result broken;
  bool blocking = false;
  run_test([&]() -> task<> {
    const plain_pipe line;
    const in_place_of stdout_is(STDOUT_FILENO, line.writer);
    pipe_reader reader = pipe_reader::adopt(line.reader);
    const auto write = [&]() -> task<> {
      output_stream out = standard_output();
      co_await out.write_all(bytes_of(text));
    };
    auto writing = cove::spawn(write);
    co_await until_waiting("write_all");
    blocking = stdout_is.is_blocking();
    got.resize(text.size());
    co_await reader.read_exact(std::as_writable_bytes(std::span(got)));
    co_await writing;
    output_stream out = standard_output();
    co_await reader.close();
    broken = co_await out.write_some(bytes_of("x")).as_result();
    // Now it cannot even be opened once more.
    output_stream later = standard_output();
    const cove::io_result again = co_await later.write_all(bytes_of("x")).as_result();
    if (again.error != broken.error) blocking = false;
  });
  CHECK(blocking);
  CHECK(got == text);
  CHECK(broken.error == std::errc::broken_pipe);
}

TEST_CASE("P11 a file and /dev/null as input and output") {
  std::string got;
  off_t position = 0;
  std::size_t of_null = 1;
  std::error_code full;
  std::error_code unopened;
  std::string written(6, '\0');
  const int into = make_file("");
  const int into_too = ::fcntl(into, F_DUPFD_CLOEXEC, 0);
  {
    const in_place_of stdout_is(STDOUT_FILENO, into);
    run_test([&]() -> task<> {
      std::array<std::byte, 4> buffer;
      {
        const in_place_of stdin_is(STDIN_FILENO, make_file("some text of a file"));
        input_stream in = standard_input();
        co_await in.read_some(buffer);
        position = ::lseek(STDIN_FILENO, 0, SEEK_CUR);  // Of all who share it.
        got = co_await read_to_end(&in);
      }
      {
        const in_place_of stdin_is(STDIN_FILENO, open_device("/dev/null"));
        input_stream in = standard_input();
        of_null = co_await in.read_some(buffer);
      }
      output_stream out = standard_output();
      co_await out.write_all(bytes_of("abc"));
      const std::size_t n = co_await out.write_some(bytes_of("def"));
      REQUIRE(n == 3);
    });
  }
  {
    const in_place_of stdout_is(STDOUT_FILENO, open_device("/dev/full"));
    run_test([&]() -> task<> {
      output_stream out = standard_output();
      const cove::io_result put = co_await out.write_all(bytes_of("x")).as_result();
      full = put.error;
      output_stream closed;
      const cove::io_result none = co_await closed.write_all(bytes_of("x")).as_result();
      unopened = none.error;
    });
  }
  CHECK(position == 4);
  CHECK(got == " text of a file");
  CHECK(of_null == 0);
  CHECK(full == std::errc::no_space_on_device);
  CHECK(unopened == cove::errc::closed);
  CHECK(::pread(into_too, written.data(), written.size(), 0) == 6);
  CHECK(written == "abcdef");
  ::close(into_too);
}

TEST_CASE("P11 a terminal as input: lines, its end, and others' setting as it was") {
  const pseudo_terminal at;
  const in_place_of stdin_is(STDIN_FILENO, at.terminal);
  run_test([&]() -> task<> {
    input_stream in = standard_input();
    CHECK(in.is_terminal());
    std::array<std::byte, 64> buffer;
    auto reading = cove::spawn(read_into, &in, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    CHECK(stdin_is.is_blocking());
    at.type("hel");
    co_await cove::this_task::yield();
    CHECK_FALSE(reading.done());  // No line yet.
    at.type("lo\n");
    cove::io_result got = co_await reading;
    CHECK(text_of(std::span(buffer).first(got.n)) == "hello\n");
    reading = cove::spawn(read_into, &in, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    at.type("\x04");
    got = co_await reading;
    CHECK_FALSE(got.error);
    CHECK(got.n == 0);
  });
}

TEST_CASE("P10 P11 a read of a terminal at which nobody types does not hold up the end") {
  const pseudo_terminal at;
  const in_place_of stdin_is(STDIN_FILENO, at.terminal);
  input_stream in = standard_input();
  std::array<std::byte, 8> buffer;
  {
    cove::runtime runs(net_options());
    auto reading = runs.spawn(read_into, &in, std::span<std::byte>(buffer));
    const auto waits = [&runs] { return mentions(runs.report(), "waits for read_some"); };
    REQUIRE(thread_waits_for(waits));
    CHECK(runs.stop(patience));
  }
}

TEST_CASE("P04 a socket as input and output, blocking as it was") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const in_place_of stdin_is(STDIN_FILENO, ends[0]);
  run_test([&]() -> task<> {
    input_stream in = standard_input();
    std::array<std::byte, 8> buffer;
    auto reading = cove::spawn(read_into, &in, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    CHECK(stdin_is.is_blocking());
    REQUIRE(::write(ends[1], "abc", 3) == 3);
    const cove::io_result got = co_await reading;
    CHECK(got.n == 3);
  });
  ::close(ends[1]);
}

TEST_CASE("P11 input that is closed, or was opened for writing, is an error that says so") {
  {
    const in_place_of stdin_is(STDIN_FILENO, -1);
    CHECK(mentions(refusal(standard_input), "standard_input descriptor 0: bad file descriptor"));
  }
  const plain_pipe line;
  const in_place_of stdin_is(STDIN_FILENO, line.writer);
  CHECK(mentions(refusal(standard_input), "it was not opened for reading"));
  ::close(line.reader);
}

// ----- a program that is started with all three closed -----

namespace {

/// Ends the child with `code` unless `holds`.
void demand(bool holds, int code) {
  if (!holds) ::_exit(code);
}

bool all_are_closed() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(number, F_GETFD) >= 0) return false;
  return true;
}

/// What a child says that its first three descriptors are, all of them inherited.
task<std::string> seen_by_a_child(std::string file) {
  cove::io::command look("sh", "-c",
                         "a=$(readlink /proc/$$/fd/0); b=$(readlink /proc/$$/fd/1);"
                         "c=$(readlink /proc/$$/fd/2); echo $a $b $c >&3");
  look.input = cove::io::stdio::inherit();
  look.output = cove::io::stdio::inherit();
  look.errors = cove::io::stdio::inherit();
  look.more_descriptors.push_back(cove::io::stdio::file(file));
  cove::io::process child = co_await cove::io::process::spawn(std::move(look));
  demand(all_are_closed(), 20);
  const cove::io::exit_status ended = co_await child.wait();
  demand(ended.success(), 21);
  co_return contents_of(file);
}

task<> open_what_there_is(std::string folder, int event) {
  demand(all_are_closed(), 10);
  demand(mentions(refusal(standard_input), "descriptor 0: bad file descriptor"), 11);
  demand(mentions(refusal(standard_output), "descriptor 1: bad file descriptor"), 12);
  demand(mentions(refusal(cove::io::standard_error), "descriptor 2: bad file descriptor"), 13);
  const cove::io::signal_set signals(SIGUSR1);
  demand(all_are_closed(), 14);
  cove::io::fs::watch changes;
  co_await changes.add(folder);
  demand(all_are_closed(), 15);
  const cove::io::fd_watch ready(event);
  demand(all_are_closed(), 16);
  auto entries = cove::io::fs::read_directory("/");
  demand(co_await entries.next() != nullptr, 17);
  demand(all_are_closed(), 18);
  const std::string seen = co_await seen_by_a_child(folder + "/seen");
  demand(seen == "/dev/null /dev/null /dev/null\n", 22);
  auto echo = cove::io::process::output(cove::io::command("cat"), 10, "text");
  const cove::io::process_output said = co_await std::move(echo);
  demand(said.out == "text", 23);
  demand(all_are_closed(), 24);
}

}  // namespace

TEST_CASE("P11 R03 what the runtime opens takes no number of a standard stream") {
  const temporary_folder folder;
  const std::string name = folder.path();
  const int outcome = outcome_in_child([&name] {
    const int event = ::fcntl(::eventfd(0, EFD_CLOEXEC), F_DUPFD_CLOEXEC, 100);
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(number);
    cove::runtime runs(net_options());
    runs.block_on(open_what_there_is, name, event);
  });
  CHECK(outcome == 0);
}

// ----- what cannot be opened once more -----

namespace {

using cove::detail::descriptor;
using cove::detail::descriptor_kind;
using cove::io::detail::count_operation;
using cove::io::detail::io_kind;
using cove::io::detail::whole_operation;

task<cove::io_result> read_shared(descriptor* from, std::span<std::byte> buffer) {
  auto op = cove::io::detail::make_read<count_operation>(*from, io_kind::read, buffer, false,
                                                         "read_some");
  co_return co_await std::move(op).as_result();
}
task<cove::io_result> write_shared(descriptor* to, std::string_view text) {
  auto op = cove::io::detail::make_write<whole_operation>(*to, bytes_of(text), true, "write_all");
  co_return co_await std::move(op).as_result();
}

}  // namespace

TEST_CASE("P04 a pipe that blocks and must go on doing so is read and written without waiting") {
  run_test([]() -> task<> {
    const plain_pipe line;
    descriptor reader(line.reader, descriptor_kind::shared);
    descriptor writer(line.writer, descriptor_kind::shared);
    const std::string text = pattern(300'000);
    std::string got;
    std::array<std::byte, 5000> buffer;
    auto reading = cove::spawn(read_shared, &reader, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    auto writing = cove::spawn(write_shared, &writer, std::string_view(text));
    cove::io_result part = co_await reading;
    co_await until_waiting("write_all");
    while (part.n != 0) {
      got += text_of(std::span(buffer).first(part.n));
      if (got.size() == text.size()) writer.close_now();
      part = co_await read_shared(&reader, buffer);
      REQUIRE_FALSE(part.error);
    }
    CHECK(got == text);
    const cove::io_result put = co_await writing;
    CHECK_FALSE(put.error);
  });
}

TEST_CASE("P04 a terminal that blocks and must go on doing so is read and written") {
  run_test([]() -> task<> {
    const pseudo_terminal at;
    descriptor terminal(at.terminal, descriptor_kind::shared);
    std::array<std::byte, 64> buffer;
    auto reading = cove::spawn(read_shared, &terminal, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    at.type("line\n");
    const cove::io_result got = co_await reading;
    CHECK(text_of(std::span(buffer).first(got.n)) == "line\n");
    const cove::io_result put = co_await write_shared(&terminal, "shown");
    CHECK(put.n == 5);
    CHECK((::fcntl(at.terminal, F_GETFL) & O_NONBLOCK) == 0);
  });
}
