#include "support/stream_test.hpp"

#include <cove/io/fd_watch.hpp>
#include <cove/io/pipe.hpp>

#include <sys/stat.h>

#include <filesystem>

// What a wait tells of a descriptor, and the wait for what is urgent. The same on each backend.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::result;
using cove::task;
using cove::io::fd_watch;
using cove::io::make_pipe;
using cove::io::pipe_reader;
using cove::io::pipe_writer;
using cove::io::readiness;
using cove::net::tcp_stream;

template <class On>
task<result<readiness>> wait_urgent(On* on) {
  co_return co_await on->wait_urgent().as_result();
}
template <class On>
task<result<readiness>> wait_readable(On* on) {
  co_return co_await on->wait_readable().as_result();
}

/// Takes the urgent byte of the stream; 0 if there is none.
char take_urgent(tcp_stream& from) {
  return from.with_native_handle([](int fd) {
    char byte = 0;
    return ::recv(fd, &byte, 1, MSG_OOB | MSG_DONTWAIT) == 1 ? byte : '\0';
  });
}

/// Waits until all that the peer sent has arrived.
task<> until_arrived(const raw_peer& peer) {
  const auto arrived = [&peer] {
    int unacknowledged = -1;
    REQUIRE(::ioctl(peer.fd(), TIOCOUTQ, &unacknowledged) == 0);
    return unacknowledged == 0;
  };
  co_await until(arrived);
}

/// Turns of the runtime in which somebody who is wrongly woken would be.
task<std::uint64_t> runs_of_a_while() {
  const std::uint64_t before = cove::runtime::current()->stats().task_runs;
  for (int i = 0; i < 10; ++i) co_await cove::this_task::sleep_for(1ms);  // tidy: allow
  co_return cove::runtime::current()->stats().task_runs - before;
}

/// Does the backend tell of hang-ups and errors to who waits for nothing else?
bool tells_of_ends() { return cove::runtime::current()->backend() != "select"; }

}  // namespace

// ----- what is urgent -----

TEST_CASE("S17 a wait for urgent data is told of that, and of nothing else") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    for (int round = 0; round < 10; ++round) {
      auto waiting = cove::spawn(wait_urgent<tcp_stream>, &stream);
      if (round % 2 == 0) {
        co_await until_waiting("wait_urgent");
        peer.send("ab");
        co_await until_arrived(peer);
        const std::uint64_t runs = co_await runs_of_a_while();
        CHECK(runs < 100);
        CHECK_FALSE(waiting.done());
      } else {
        peer.send("ab");
      }
      peer.send("!", MSG_OOB);
      const result<readiness> found = co_await waiting;
      REQUIRE(found.has_value());
      CHECK(found->urgent);
      CHECK(found->writable);
      CHECK_FALSE(found->hung_up);
      CHECK_FALSE(found->failed);
      // It is so until the byte is taken; the others are read as ever.
      const readiness again = co_await stream.wait_urgent();
      CHECK(again.urgent);
      CHECK(take_urgent(stream) == '!');
      std::array<std::byte, 2> buffer;
      co_await stream.read_exact(buffer);
      CHECK(text_of(buffer) == "ab");
    }
  });
}

TEST_CASE("S17 who waits for bytes and who waits for urgent data do not take each other's news") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    fd_watch watch(stream.native_handle());
    std::array<std::byte, 2> buffer;
    for (int round = 0; round < 10; ++round) {
      auto reading = cove::spawn(wait_readable<tcp_stream>, &stream);
      auto waiting = cove::spawn(wait_urgent<fd_watch>, &watch);
      co_await until_waiting("wait_readable");
      co_await until_waiting("wait_urgent");
      const result<readiness> refused = co_await stream.wait_urgent().as_result();
      CHECK(refused.error() == cove::errc::operation_in_progress);
      if (round % 2 == 0) {
        peer.send("!", MSG_OOB);
        const result<readiness> found = co_await waiting;
        CHECK(found.value().urgent);
        CHECK_FALSE(found.value().readable);
        CHECK_FALSE(reading.done());
        // A read that goes past the urgent byte would drop it.
        CHECK(take_urgent(stream) == '!');
        peer.send("in");
        const result<readiness> came = co_await reading;
        CHECK(came.value().readable);
        CHECK_FALSE(came.value().urgent);
      } else {
        peer.send("in");
        const result<readiness> came = co_await reading;
        CHECK(came.value().readable);
        CHECK_FALSE(waiting.done());
        peer.send("!", MSG_OOB);
        const result<readiness> found = co_await waiting;
        CHECK(found.value().urgent);
        CHECK(take_urgent(stream) == '!');
      }
      co_await stream.read_exact(buffer);
      CHECK(text_of(buffer) == "in");
    }
  });
}

TEST_CASE("S17 a wait that was broken off leaves the next one its own news") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 2> buffer;
    for (int round = 0; round < 20; ++round) {
      auto urgent = cove::spawn(wait_urgent<tcp_stream>, &stream);
      co_await until_waiting("wait_urgent");
      urgent.cancel();
      const result<readiness> ended = co_await urgent;
      CHECK(ended.error() == std::errc::operation_canceled);

      auto readable = cove::spawn(wait_readable<tcp_stream>, &stream);
      co_await until_waiting("wait_readable");
      peer.send("!", MSG_OOB);
      const auto came = [&] { return take_urgent(stream) == '!'; };
      co_await until(came);
      CHECK_FALSE(readable.done());
      readable.cancel();
      const result<readiness> broken = co_await readable;
      CHECK(broken.error() == std::errc::operation_canceled);

      urgent = cove::spawn(wait_urgent<tcp_stream>, &stream);
      co_await until_waiting("wait_urgent");
      peer.send("ab");
      co_await until_arrived(peer);
      peer.send("?", MSG_OOB);
      const result<readiness> found = co_await urgent;
      CHECK(found.value().urgent);
      CHECK(take_urgent(stream) == '?');
      co_await stream.read_exact(buffer);
    }
  });
}

TEST_CASE("S17 K09 a deadline, a cancel and a close end the wait for urgent data") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    peer.send("ab");
    co_await until_arrived(peer);
    auto waiting = cove::spawn(wait_urgent<tcp_stream>, &stream);
    co_await until_waiting("wait_urgent");
    stream.set_read_deadline(cove::clock::now());
    result<readiness> ended = co_await waiting;
    CHECK(ended.error() == cove::errc::deadline_exceeded);
    stream.set_read_deadline(cove::clock::time_point::max());

    waiting = cove::spawn(wait_urgent<tcp_stream>, &stream);
    co_await until_waiting("wait_urgent");
    waiting.cancel();
    ended = co_await waiting;
    CHECK(ended.error() == std::errc::operation_canceled);

    waiting = cove::spawn(wait_urgent<tcp_stream>, &stream);
    co_await until_waiting("wait_urgent");
    co_await stream.close();
    ended = co_await waiting;
    CHECK(ended.error() == cove::errc::closed);
  });
}

TEST_CASE("S17 a reset ends the wait for urgent data") {
  run_test([]() -> task<> {
    for (int round = 0; round < 2; ++round) {
      const bool before = round == 0;
      auto [stream, peer] = co_await make_link();
      fd_watch watch(stream.native_handle());
      cove::join_handle<result<readiness>> waiting;
      if (!before) {
        waiting = cove::spawn(wait_urgent<fd_watch>, &watch);
        co_await until_waiting("wait_urgent");
      }
      peer.reset();
      const readiness seen = co_await stream.wait_readable();
      CHECK(seen.failed);
      CHECK(seen.hung_up);
      CHECK(seen.readable);
      CHECK(seen.writable);
      CHECK_FALSE(seen.urgent);
      if (before) waiting = cove::spawn(wait_urgent<fd_watch>, &watch);
      const bool told = before || tells_of_ends();
      if (!told) waiting.cancel();
      const result<readiness> found = co_await waiting;
      CHECK(found.has_value() == told);
      CHECK((found.has_value() && found->hung_up) == told);
    }
  });
}

// ----- what is so -----

TEST_CASE("S08 a wait on a stream tells of both directions, and of the end") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    readiness found = co_await stream.wait_writable();
    CHECK(found.writable);
    CHECK_FALSE(found.readable);
    peer.send("a");
    found = co_await stream.wait_readable();
    CHECK(found.readable);
    CHECK(found.writable);
    CHECK_FALSE(found.hung_up);
    std::array<std::byte, 1> byte;
    co_await stream.read_exact(byte);
    // The peer's end alone is no hang-up; both ends are.
    peer.finish();
    found = co_await stream.wait_readable();
    CHECK(found.readable);
    CHECK_FALSE(found.hung_up);
    const std::size_t none = co_await stream.read_some(byte);
    CHECK(none == 0);
    stream.shutdown_write();
    found = co_await stream.wait_readable();
    CHECK(found.readable);
    CHECK(found.hung_up);
    CHECK_FALSE(found.failed);
  });
}

TEST_CASE("P01 a wait on a pipe tells whether the other end is still there") {
  run_test([]() -> task<> {
    auto [reader, writer] = make_pipe();
    readiness found = co_await writer.wait_writable();
    CHECK(found.writable);
    CHECK_FALSE(found.failed);
    auto waiting = cove::spawn(wait_readable<pipe_reader>, &reader);
    co_await until_waiting("wait_readable");
    co_await writer.write_all(bytes_of(std::string_view("a")));
    const result<readiness> came = co_await waiting;
    CHECK(came.value().readable);
    CHECK_FALSE(came.value().hung_up);
    co_await writer.close();
    found = co_await reader.wait_readable();
    CHECK(found.hung_up);
    std::array<std::byte, 1> byte;
    co_await reader.read_exact(byte);
    const std::size_t none = co_await reader.read_some(byte);
    CHECK(none == 0);
    found = co_await reader.wait_readable();
    CHECK(found.readable);
    CHECK(found.hung_up);

    auto other = make_pipe();
    co_await other.reader.close();
    found = co_await other.writer.wait_writable();
    CHECK(found.writable);
    CHECK(found.failed);
  });
}

TEST_CASE("P02 the end of a FIFO stays readable, although there is a writer again") {
  run_test([]() -> task<> {
    const std::string path =
        std::filesystem::temp_directory_path() / ("cove-readiness-" + std::to_string(::getpid()));
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    pipe_reader reader = pipe_reader::open(path);
    pipe_writer writer = pipe_writer::open(path);
    co_await writer.close();
    std::array<std::byte, 1> byte;
    const std::size_t none = co_await reader.read_some(byte);
    CHECK(none == 0);
    writer = pipe_writer::open(path);
    const readiness found = co_await reader.wait_readable();
    CHECK(found.readable);
    CHECK_FALSE(found.hung_up);
    std::filesystem::remove(path);
  });
}
