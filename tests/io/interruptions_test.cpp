#include "support/interruptions.hpp"
#include "support/process_test.hpp"

#include <cove/io/file.hpp>
#include <cove/io/fs.hpp>
#include <cove/io/signal_set.hpp>

// Every operation of io and net while all threads are interrupted without SA_RESTART. An EINTR that
// got through would leave as an exception, or as a byte too few.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_listener;
using cove::net::tcp_stream;

/// Goes on until the storm has had its chance.
constexpr int rounds_least = 10;
constexpr int interruptions_least = 500;

bool goes_on(int round) {
  return round < rounds_least || interruptions::count() < interruptions_least;
}

task<> answer(tcp_listener* listener) {
  for (;;) {
    tcp_stream peer = co_await listener->accept();
    std::array<std::byte, 700> buffer;
    while (const std::size_t n = co_await peer.read_some(buffer))
      co_await peer.write_all(std::span(buffer).first(n));
    const std::error_code closed = co_await peer.close();
    CHECK_FALSE(closed);
  }
}

task<> connect_and_talk(const tcp_listener* listener) {
  const std::string sent = pattern(5000);
  for (int round = 0; goes_on(round); ++round) {
    tcp_stream stream = co_await tcp_stream::connect(listener->local_address());
    std::string back(sent.size(), '\0');
    co_await stream.write_all(bytes_of(sent));
    stream.shutdown_write();
    co_await stream.read_exact(std::as_writable_bytes(std::span(back)));
    CHECK(back == sent);
    co_await stream.wait_readable();
    std::array<std::byte, 1> end;
    const std::size_t more = co_await stream.read_some(end);
    CHECK(more == 0);
    const std::error_code closed = co_await stream.close();
    CHECK_FALSE(closed);
  }
}

task<> write_all(cove::io::pipe_writer* to, const std::string* text) {
  co_await to->write_all(bytes_of(*text));
  static_cast<void>(co_await to->close());
}

task<> use_pipes() {
  const std::string sent = pattern(200'000);
  for (int round = 0; goes_on(round); ++round) {
    auto [reader, writer] = cove::io::make_pipe();
    auto writing = cove::spawn(write_all, &writer, &sent);
    std::string back(sent.size(), '\0');
    co_await reader.read_exact(std::as_writable_bytes(std::span(back)));
    CHECK(back == sent);
    co_await writing;
  }
}

/// What a call in the pool sees of it: nothing, although it does not care itself.
std::string read_waiting(int fd) {
  std::array<char, 16> buffer{};
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  return n < 0 ? std::string("failed") : std::string(buffer.data(), static_cast<std::size_t>(n));
}

task<> call_what_blocks() {
  for (int round = 0; goes_on(round); ++round) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    auto reading = cove::spawn(
        [](int fd) -> task<std::string> { co_return co_await cove::blocking(read_waiting, fd); },
        ends[0]);
    co_await cove::this_task::sleep_for(500us);
    REQUIRE(::write(ends[1], "late", 4) == 4);
    const std::string got = co_await reading;
    CHECK(got == "late");
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

task<> use_timers() {
  for (int round = 0; goes_on(round); ++round) {
    const auto before = cove::clock::now();
    co_await cove::this_task::sleep_for(300us);
    CHECK(cove::clock::now() - before >= 300us);
  }
}

task<> use_files(std::string path) {
  const std::string sent = pattern(100'000);
  const auto options = cove::io::open_options{}.read().write().create().truncate();
  for (int round = 0; goes_on(round); ++round) {
    cove::io::file file = co_await cove::io::file::open(path, options);
    co_await file.write_all_at(bytes_of(sent), 0);
    std::string back(sent.size(), '\0');
    co_await file.read_exact_at(std::as_writable_bytes(std::span(back)), 0);
    CHECK(back == sent);
    co_await file.sync_data();
    const std::error_code closed = co_await file.close();
    CHECK_FALSE(closed);
    const cove::io::file_status found = co_await cove::io::fs::stat(path);
    CHECK(found.size == sent.size());
    co_await cove::io::fs::remove(path);
  }
}

task<> use_processes() {
  for (int round = 0; goes_on(round); ++round) {
    const process_output all = co_await process::output(command("cat"), most, "all of it");
    CHECK(all.status.success());
    CHECK(all.out == "all of it");
    process child = co_await process::spawn(waiting_child());
    child.signal(SIGTERM);
    const exit_status ended = co_await child.wait();
    CHECK(ended.signal == SIGTERM);
  }
}

task<> use_signals() {
  cove::io::signal_set signals(SIGUSR1);
  for (int round = 0; goes_on(round); ++round) {
    ::kill(::getpid(), SIGUSR1);
    const int number = co_await signals.wait();
    CHECK(number == SIGUSR1);
  }
}

/// Runs it on a runtime of its own, in a storm.
template <class Body>
void run_interrupted(Body body) {
  const same_descriptors outside;
  const interruptions storm;
  run_children(std::move(body));
  CHECK(interruptions::count() >= interruptions_least);
}

}  // namespace

TEST_CASE("G07 sockets see nothing of interrupted calls") {
  run_interrupted([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto answering = cove::spawn(answer, &listener);
    auto others = cove::spawn(connect_and_talk, &listener);
    co_await connect_and_talk(&listener);
    co_await others;
    answering.cancel();
    const std::string ended = co_await outcome_of(std::move(answering));
    CHECK(ended == "canceled");
  });
}

TEST_CASE("G07 pipes, timers and calls on the pool see nothing of interrupted calls") {
  run_interrupted(
      []() -> task<> { co_await cove::when_all(use_pipes(), use_timers(), call_what_blocks()); });
}

TEST_CASE("G07 files see nothing of interrupted calls") {
  const temporary_folder folder;
  run_interrupted([&folder]() -> task<> { co_await use_files(folder / "file"); });
}

TEST_CASE("G07 children and their pipes see nothing of interrupted calls") {
  run_interrupted([]() -> task<> { co_await use_processes(); });
}

TEST_CASE("G07 waits for signals see nothing of interrupted calls") {
  run_interrupted([]() -> task<> { co_await use_signals(); });
}

TEST_CASE("G07 a thread that waits for a runtime sees nothing of interrupted calls") {
  const interruptions storm;
  for (int round = 0; goes_on(round); ++round) {
    cove::runtime in(net_options());
    const int answer = in.block_on([]() -> task<int> {
      co_await cove::this_task::sleep_for(100us);
      co_return 42;
    });
    CHECK(answer == 42);
    CHECK(in.stop(patience));
  }
}
