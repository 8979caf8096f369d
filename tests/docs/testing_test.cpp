// What docs/testing.md shows, as it is built and run.

// [service
#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <array>

using namespace std::chrono_literals;

/// Sends back what it gets; gives up on a client that has been silent for a minute.
cove::task<> session(cove::net::tcp_stream peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const std::size_t n = co_await cove::with_timeout(peer.read_some(buffer), 1min);
    if (n == 0) co_return;
    co_await peer.write_all(std::span(buffer).first(n));
  }
}
// service]

// [silence
#include <cove/runtime/virtual_time.hpp>

#include <doctest/doctest.h>

TEST_CASE("a session gives up after a minute of silence") {
  cove::test::run([]() -> cove::task<> {
    auto listener = cove::net::tcp_listener::bind("127.0.0.1:0");
    auto client = co_await cove::net::tcp_stream::connect(listener.local_address());
    auto peer = co_await listener.accept();
    const auto start = cove::clock::now();
    auto served = cove::spawn(session, std::move(peer));

    std::array<std::byte, 5> hello{};
    co_await client.write_all(hello);
    co_await client.read_exact(hello);
    CHECK(cove::clock::now() == start);  // Nobody has waited for anything but bytes.

    const auto how = co_await served.as_result();
    CHECK(how.error() == cove::errc::deadline_exceeded);
    const bool exact = cove::clock::now() - start == 1min;
    CHECK(exact);
  });
}
// silence]

// [idle
TEST_CASE("a job is taken as soon as a worker is free") {
  cove::test::run([]() -> cove::task<> {
    cove::channel<int> jobs(10);
    int done = 0;
    auto worker = cove::spawn([&jobs, &done]() -> cove::task<> {
      while (auto job = co_await jobs.receive()) done += *job;
    });
    co_await jobs.send(3);
    co_await cove::test::until_idle();  // Whatever can happen by itself has happened.
    CHECK(done == 3);
    jobs.close();
    co_await worker;
  });
}
// idle]

// [outside
#include <thread>

/// Computes in a thread of its own, and reports how that went.
cove::task<int> computed_elsewhere() {
  cove::channel<int> answer(1);
  std::thread computing([&answer, pending = cove::external_work()]() mutable {
    answer.send_blocking(6 * 7);
    pending.done();
  });
  const auto got = co_await answer.receive();
  computing.join();
  co_return got.value_or(0);
}

TEST_CASE("an answer from another thread is not late, however long that takes") {
  const int got = cove::test::run(
      []() -> cove::task<int> { co_return co_await cove::with_timeout(computed_elsewhere(), 1s); });
  CHECK(got == 42);
}
// outside]

TEST_CASE("a run that is stuck says why") {
  try {
    cove::test::run([]() -> cove::task<> {
      cove::channel<int> jobs(10);
      static_cast<void>(co_await jobs.receive());
    });
    FAIL("it went on");
  } catch (const cove::test::stuck& e) {
    CHECK(std::string(e.what()).find("waits for receive at testing_test.cpp:") !=
          std::string::npos);
  }
}
