#include <cove/runtime/virtual_time.hpp>

#include "support/net_test.hpp"
#include "support/stress.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>

// The network under virtual time is the real one: its bytes come first, then time goes on.

using namespace cove::test;

namespace {

using cove::clock;
using cove::external_work;
using cove::task;
using cove::net::tcp_listener;
using cove::net::tcp_stream;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ns;

/// Gives back what it gets until the end of the stream.
task<> echo(tcp_stream* peer) {
  std::array<std::byte, 16384> buffer;
  for (;;) {
    const std::size_t got = co_await peer->read_some(buffer);
    if (got == 0) break;
    co_await peer->write_all(std::span(buffer).first(got));
  }
}

task<> echo_once(tcp_listener* listener) {
  tcp_stream peer = co_await listener->accept();
  co_await echo(&peer);
}

TEST_CASE("T12 bytes on their way inside of the process arrive before a limit passes") {
  const same_descriptors outside;
  cove::test::run([]() -> task<> {
    const clock::time_point start = clock::now();
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto serving = cove::spawn(echo_once, &listener);
    auto peer = co_await cove::with_timeout(tcp_stream::connect(listener.local_address()), 1ns);
    std::array<std::byte, 1000> sent{};
    std::array<std::byte, 1000> got{};
    for (int i = 0; i < 2000; ++i) {
      sent.fill(static_cast<std::byte>(i));
      co_await cove::with_timeout(peer.write_all(sent), 1ns);
      co_await cove::with_timeout(peer.read_exact(got), 1ns);
      if (std::memcmp(sent.data(), got.data(), got.size()) != 0) FAIL("other bytes came back");
    }
    peer.shutdown_write();
    co_await cove::with_timeout(serving, 1ns);
    CHECK(clock::now() == start);
  });
}

/// Holds its end until `read` is set: what a closed socket still has to send, nobody can see.
task<> echo_and_hold(tcp_listener* listener, cove::event* read) {
  tcp_stream peer = co_await listener->accept();
  co_await echo(&peer);
  peer.shutdown_write();
  co_await read->wait();
}

task<> write_much(tcp_stream* peer, std::size_t size) {
  const std::vector<std::byte> all(size);
  co_await peer->write_all(all);
  peer->shutdown_write();
}

TEST_CASE("T12 a transfer larger than the buffers of the kernel takes no time") {
  const same_descriptors outside;
  cove::test::run([]() -> task<> {
    constexpr std::size_t size = 20'000'000;
    const clock::time_point start = clock::now();
    cove::event all_read;
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto serving = cove::spawn(echo_and_hold, &listener, &all_read);
    auto peer = co_await tcp_stream::connect(listener.local_address());
    auto writing = cove::spawn(write_much, &peer, size);
    std::vector<std::byte> buffer(100'000);
    std::size_t total = 0;
    for (;;) {
      const std::size_t got = co_await cove::with_timeout(peer.read_some(buffer), 1ns);
      if (got == 0) break;
      total += got;
    }
    CHECK(total == size);
    all_read.set();
    co_await writing;
    co_await serving;
    CHECK(clock::now() == start);
  });
}

TEST_CASE("T12 a silent peer costs a limit all of its virtual time") {
  const same_descriptors outside;
  cove::test::run([]() -> task<> {
    const clock::time_point start = clock::now();
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto serving = cove::spawn(echo_once, &listener);
    auto peer = co_await tcp_stream::connect(listener.local_address());
    std::array<std::byte, 100> buffer{};
    for (int i = 0; i < 100; ++i) {
      co_await peer.write_all(std::span(buffer).first(10));
      co_await peer.read_exact(std::span(buffer).first(10));
      const std::string how =
          co_await outcome_of(cove::with_timeout(peer.read_some(buffer), std::chrono::hours(1)));
      CHECK(how == "deadline");
    }
    const bool exact = clock::now() - start == 100h;
    CHECK(exact);
    peer.shutdown_write();
    co_await serving;
  });
}

TEST_CASE("T12 C06 connecting to who never answers takes all of the limit, and no time") {
  const same_descriptors outside;
  const deaf_listener deaf;
  cove::test::run([&deaf]() -> task<> {
    const clock::time_point start = clock::now();
    const std::string how =
        co_await outcome_of(cove::with_timeout(tcp_stream::connect(deaf.address()), 100h));
    CHECK(how == "deadline");
    const bool exact = clock::now() - start == 100h;
    CHECK(exact);
  });
}

task<> is_answered_by_a_thread() {
  const clock::time_point start = clock::now();
  linked link = co_await make_link();
  auto sends = [in = cove::runtime::current(), &link, work = external_work()]() mutable {
    const auto reads = [in] {
      return in->report().find("waits for read_exact") != std::string::npos;
    };
    CHECK(thread_waits_for(reads));
    link.peer.send("at last");
    work.done();
  };
  std::thread answers(std::move(sends));
  std::array<std::byte, 7> buffer{};
  co_await cove::with_timeout(link.stream.read_exact(buffer), 1ns);
  CHECK(text_of(buffer) == "at last");
  CHECK(clock::now() == start);
  answers.join();
}

TEST_CASE("T12 a peer in another thread has all the time it wants while it is announced") {
  const same_descriptors outside;
  cove::test::run(is_answered_by_a_thread);
}

TEST_CASE("T12 a task that reads what nobody will write is named in the failure") {
  const same_descriptors outside;
  std::string text;
  try {
    cove::test::run([]() -> task<> {
      auto listener = tcp_listener::bind("127.0.0.1:0");
      auto serving = cove::spawn(echo_once, &listener);
      auto peer = co_await tcp_stream::connect(listener.local_address());
      std::array<std::byte, 1> buffer{};
      co_await peer.read_exact(buffer);
    });
  } catch (const stuck& e) {
    text = e.what();
  }
  CHECK(text.find("waits for read_exact at virtual_time_test.cpp:") != std::string::npos);
  CHECK(text.find("waits for read_some at virtual_time_test.cpp:") != std::string::npos);
}

/// A thread that ends external work, some moment after it was given.
class finisher {
 public:
  finisher() : thread_([this] { work(); }) {}
  finisher(const finisher&) = delete;
  finisher& operator=(const finisher&) = delete;
  ~finisher() {
    over_.store(true, std::memory_order_release);
    thread_.join();
  }

  /// Gives the next piece of work; the last one has been ended.
  void give(external_work work) {
    pending_.emplace(std::move(work));
    given_.store(given_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  /// The thread is about to end what it was given, or has.
  bool ends() const { return ends_.load(std::memory_order_acquire) == given_; }
  bool has_ended() const { return ended_.load(std::memory_order_acquire) == given_; }

 private:
  void work() {
    auto last = std::chrono::steady_clock::now();
    for (unsigned round = 0; !over_.load(std::memory_order_acquire);) {
      if (given_.load(std::memory_order_acquire) == round) {
        std::this_thread::yield();
        if (std::chrono::steady_clock::now() - last < patience) continue;
        std::fprintf(stderr, "virtual time stands although nothing is pending\n");
        std::abort();
      }
      for (volatile unsigned spin = round * 7 % 5000; spin > 0;) spin = spin - 1;
      ends_.store(++round, std::memory_order_release);
      pending_->done();
      last = std::chrono::steady_clock::now();
      ended_.store(round, std::memory_order_release);
    }
  }

  std::atomic<unsigned> given_{0};
  std::atomic<unsigned> ends_{0};
  std::atomic<unsigned> ended_{0};
  std::atomic<bool> over_{false};
  std::optional<external_work> pending_;
  std::thread thread_;
};

TEST_CASE("T12 time goes on whenever the last work outside ends, also while the network is asked") {
  const same_descriptors outside;
  cove::test::run([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto serving = cove::spawn(echo_once, &listener);
    {
      finisher thread;
      const std::uint64_t rounds = stress_rounds(20'000);
      for (std::uint64_t i = 0; i < rounds; ++i) {
        external_work pending;
        thread.give(std::move(pending));
        co_await cove::this_task::sleep_for(1ns);
        REQUIRE(thread.ends());
        while (!thread.has_ended()) std::this_thread::yield();
      }
    }
    serving.cancel();
    static_cast<void>(co_await serving.as_result());
  });
}

}  // namespace
