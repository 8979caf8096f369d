#include "support/net_test.hpp"

#include <cove/io/fd_watch.hpp>

#include <sys/eventfd.h>

// Readiness of what belongs to somebody else.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::result;
using cove::task;
using cove::io::fd_watch;
using cove::io::readiness;

/// Two connected sockets of somebody else's, non-blocking.
struct sockets {
  sockets() {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  }
  sockets(const sockets&) = delete;
  ~sockets() {
    for (int& fd : ends) close(fd);
  }
  static void close(int& fd) {
    if (fd >= 0) REQUIRE(::close(std::exchange(fd, -1)) == 0);
  }
  void send() { REQUIRE(::write(ends[1], "x", 1) == 1); }
  void take() {
    char byte = 0;
    REQUIRE(::read(ends[0], &byte, 1) == 1);
  }

  int ends[2] = {-1, -1};
};

task<std::error_code> wait_in(fd_watch* on) {
  const result<readiness> said = co_await on->wait_readable().as_result();
  co_return said.error();
}

std::string refusal_of(int fd) {
  return refusal([fd] { return fd_watch(fd); });
}

}  // namespace

TEST_CASE("P08 a watch tells of both directions, each time, and leaves the descriptor open") {
  run_test([]() -> task<> {
    sockets pair;
    for (int i = 0; i < 5; ++i) {
      fd_watch watch(pair.ends[0]);
      co_await watch.wait_writable();
      for (int k = 0; k < 5; ++k) {
        auto waiting = cove::spawn(wait_in, &watch);
        co_await until_waiting("wait_readable");
        pair.send();
        std::error_code said = co_await waiting;
        CHECK_FALSE(said);
        // It is so still, and was so before the wait.
        said = co_await wait_in(&watch);
        CHECK_FALSE(said);
        pair.take();
      }
      // Ended in both ways, it is open, and can be watched again.
      if (i % 2 == 0) {
        const std::error_code closed = co_await watch.close();
        CHECK_FALSE(closed);
        CHECK(watch.is_closed());
        const std::error_code said = co_await wait_in(&watch);
        CHECK(said == cove::errc::closed);
      }
    }
    CHECK(::fcntl(pair.ends[0], F_GETFD) >= 0);
  });
}

TEST_CASE("P08 ending a watch ends its wait") {
  run_test([]() -> task<> {
    sockets pair;
    fd_watch watch(pair.ends[0]);
    auto waiting = cove::spawn(wait_in, &watch);
    co_await until_waiting("wait_readable");
    co_await watch.close();
    std::error_code said = co_await waiting;
    CHECK(said == cove::errc::closed);
    CHECK(watch.native_handle() == -1);

    auto owned = std::make_unique<fd_watch>(pair.ends[0]);
    waiting = cove::spawn(wait_in, owned.get());
    co_await until_waiting("wait_readable");
    owned.reset();
    said = co_await waiting;
    CHECK(said == cove::errc::closed);

    fd_watch limited(pair.ends[0]);
    auto late = limited.wait_readable();
    const result<readiness> timed = co_await cove::with_timeout(std::move(late), 1ms).as_result();
    CHECK(timed.error() == cove::errc::deadline_exceeded);
    pair.send();
    co_await limited.wait_readable();
  });
}

TEST_CASE("P06 a file or a directory cannot be watched, and the error says why") {
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const int folder = ::open("/", O_RDONLY | O_CLOEXEC);
  CHECK(refusal_of(file) == "fd_watch descriptor " + std::to_string(file) +
                                ": operation not permitted (EPERM); it is a regular file, which is "
                                "always ready; read it on the pool, with io::file");
  CHECK(mentions(refusal_of(folder), "it is a directory"));
  ::close(file);
  ::close(folder);
  CHECK(mentions(refusal_of(-1), "EBADF"));
  // A device that is always ready, on each backend alike.
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  CHECK(refusal_of(null) == "fd_watch descriptor " + std::to_string(null) +
                                ": operation not permitted (EPERM); it is a character device that "
                                "is no terminal, which is always ready; read it on the pool, with "
                                "io::file");
  ::close(null);
}

TEST_CASE("P07 two watches of one descriptor are independent, and both are told") {
  run_test([]() -> task<> {
    sockets pair;
    fd_watch one(pair.ends[0]);
    fd_watch two(pair.ends[0]);
    auto first = cove::spawn(wait_in, &one);
    auto second = cove::spawn(wait_in, &two);
    co_await until_waiting("wait_readable", 2);
    const std::error_code twice = co_await wait_in(&one);
    CHECK(twice == cove::errc::operation_in_progress);
    pair.send();
    std::error_code said = co_await first;
    CHECK_FALSE(said);
    said = co_await second;
    CHECK_FALSE(said);
    co_await one.close();
    said = co_await wait_in(&two);
    CHECK_FALSE(said);
  });
}

TEST_CASE("P09 after its end a watch hears nothing, although the descriptor is open elsewhere") {
  run_test([]() -> task<> {
    sockets pair;
    fd_watch watch(pair.ends[0]);
    pair.send();
    co_await watch.wait_readable();
    pair.take();
    co_await watch.close();
    CHECK(cove::runtime::current()->stats().descriptors == 0);
    // Edges that a poller which had not forgotten would have to report.
    const std::uint64_t runs = cove::runtime::current()->stats().task_runs;
    for (int i = 0; i < 100; ++i) {
      pair.send();
      pair.take();
    }
    co_await cove::this_task::sleep_for(1ms);  // tidy: allow
    CHECK(cove::runtime::current()->stats().task_runs - runs < 20);
  });
}

TEST_CASE("P09 the owner may close and reuse the number while it is watched") {
  run_test([]() -> task<> {
    sockets pair;
    fd_watch watch(pair.ends[0]);
    auto waiting = cove::spawn(wait_in, &watch);
    co_await until_waiting("wait_readable");
    const int number = pair.ends[0];
    sockets::close(pair.ends[0]);
    sockets other;
    CHECK((other.ends[0] == number || other.ends[1] == number));
    other.send();
    co_await cove::this_task::yield();
    CHECK_FALSE(waiting.done());
    sockets::close(pair.ends[1]);  // The end of what is still watched.
    const std::error_code said = co_await waiting;
    CHECK_FALSE(said);
  });
}

TEST_CASE("P10 a runtime that stops wakes who waits for a foreign descriptor") {
  sockets pair;
  {
    cove::runtime in(net_options());
    fd_watch watch(pair.ends[0]);
    auto waiting = in.spawn(wait_in, &watch);
    const auto waits = [&in] { return mentions(in.report(), "waits for wait_readable"); };
    REQUIRE(thread_waits_for(waits));
    CHECK(in.stop(patience));
    const auto has_ended = [&waiting] { return waiting.done(); };
    CHECK(thread_waits_for(has_ended));
  }
  CHECK(::fcntl(pair.ends[0], F_GETFD) >= 0);
}

TEST_CASE("P08 an eventfd is watched like anything else") {
  run_test([]() -> task<> {
    const int counter = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    REQUIRE(counter >= 0);
    {
      fd_watch watch(counter);
      auto waiting = cove::spawn(wait_in, &watch);
      co_await until_waiting("wait_readable");
      const std::uint64_t one = 1;
      REQUIRE(::write(counter, &one, sizeof one) == sizeof one);
      const std::error_code said = co_await waiting;
      CHECK_FALSE(said);
    }
    ::close(counter);
  });
}
