#include "support/stream_test.hpp"

// Limits around conversations, and what arrives while everything ends.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_stream;

TEST_CASE("K13 a write that its limit ends says exactly how many bytes the peer will see") {
  run_test([]() -> task<> {
    linked link = co_await make_narrow_link();
    const std::string text = pattern(std::size_t{4} << 20);
    cove::io_result wrote;
    // A limit that passes before the first try moves nothing; the next one is longer.
    for (auto limit = 2ms; wrote.n == 0; limit *= 2) {
      auto writing = link.stream.write_all(bytes_of(text)).as_result();
      wrote = co_await cove::with_timeout(std::move(writing), limit);
      CHECK(wrote.error == cove::errc::deadline_exceeded);
    }
    CHECK(wrote.n < text.size());
    link.stream.shutdown_write();
    const received all = co_await link.peer.receive_all();
    CHECK(all.bytes == text.substr(0, wrote.n));
  });
}

task<> echo(tcp_stream* stream) {
  std::array<std::byte, 16> buffer{};
  while (const std::size_t count = co_await stream->read_some(buffer))
    co_await stream->write_all(std::span(buffer).first(count));
}

/// Asks and is answered, for ever.
task<> converse(tcp_stream* stream, int* rounds) {
  std::array<std::byte, 4> buffer{};
  for (;; ++*rounds) {
    co_await stream->write_all(buffer);
    co_await stream->read_exact(buffer);
  }
}

TEST_CASE("K14 a limit cuts a conversation none of whose parts takes long") {
  for (const unsigned workers : {1U, 4U}) {
    auto options = net_options();
    options.workers = workers;
    const auto body = []() -> task<> {
      stream_pair pair = co_await make_streams();
      auto echoing = cove::spawn(echo, &pair.far);
      int rounds = 0;
      auto talk = cove::with_timeout(converse(&pair.near, &rounds), 20ms);
      const std::string ended = co_await outcome_of(std::move(talk));
      CHECK(ended == "deadline");
      CHECK(rounds > 0);
      pair.near.abort();
      static_cast<void>(co_await echoing.as_result());
    };
    run_test(body, options);
  }
}

TEST_CASE("K15 a stream that is closed after its read timed out takes no late data") {
  run_test([]() -> task<> {
    linked link = co_await make_link();
    std::array<std::byte, 8> buffer{};
    auto reading = link.stream.read_some(buffer).as_result();
    const cove::io_result read = co_await cove::with_timeout(std::move(reading), 1ms);
    CHECK(read.error == cove::errc::deadline_exceeded);
    CHECK(read.n == 0);
    link.peer.send("late");
    const std::error_code closed = co_await link.stream.close();
    CHECK_FALSE(closed);
    CHECK(buffer == std::array<std::byte, 8>{});
    const received rest = co_await link.peer.receive_all();
    CHECK(rest.bytes.empty());
  });
}

/// Keeps sending to all of them, until it is told to stop.
class sender_thread {
 public:
  explicit sender_thread(std::vector<linked>& links)
      : thread_([this, &links] {
          while (!over_)
            for (linked& each : links)
              static_cast<void>(::send(each.peer.fd(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
        }) {}
  sender_thread(const sender_thread&) = delete;
  sender_thread& operator=(const sender_thread&) = delete;
  ~sender_thread() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

task<> make_links(std::vector<linked>* links, int count) {
  for (int i = 0; i < count; ++i) links->push_back(co_await make_link());
}

task<> read_on(tcp_stream* stream, std::atomic<int>* reading, std::atomic<int>* ended) {
  std::array<std::byte, 8> buffer{};
  ++*reading;
  try {
    while (co_await stream->read_some(buffer) != 0) {
    }
  } catch (const cove::canceled&) {
    ++*ended;
  }
}

TEST_CASE("M04 M06 events that go on arriving while a runtime stops do no harm") {
  constexpr int rounds = sanitized ? 10 : 40;
  constexpr int readers = 8;
  const same_descriptors outside;
  for (int round = 0; round < rounds; ++round) {
    std::atomic<int> reading{0};
    std::atomic<int> ended{0};
    std::vector<linked> links;
    {
      cove::runtime in(net_options());
      in.block_on(make_links, &links, readers);
      {
        const sender_thread sends(links);
        for (linked& each : links) in.spawn(read_on, &each.stream, &reading, &ended).detach();
        CHECK(thread_waits_for([&reading] { return reading == readers; }));
        CHECK(in.stop(patience));
      }
      CHECK(in.stats().tasks_live == 0);
      CHECK(ended == readers);
      links.clear();
    }
  }
}

}  // namespace
