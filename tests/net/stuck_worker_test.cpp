#include "support/net_test.hpp"
#include "support/obstacle.hpp"

// A worker that is stuck in user code holds up nobody else's traffic, be it that another one is
// free or that all of them are stuck. Nothing here is measured: while a worker is stuck, the
// others' exchanges must come to their end at all, because only they let it go on. bench/cove_stuck
// says how long it takes.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_stream;

task<> echo(tcp_stream* stream) {
  std::array<std::byte, 16> buffer{};
  while (const std::size_t count = co_await stream->read_some(buffer))
    co_await stream->write_all(std::span(buffer).first(count));
}

task<> converse(tcp_stream* stream, int trips) {
  std::array<std::byte, 4> buffer{};
  for (int i = 0; i < trips; ++i) {
    co_await stream->write_all(buffer);
    co_await stream->read_exact(buffer);
  }
}

/// With all that the scheduler has against stuck workers.
cove::runtime_options watched(unsigned workers) {
  cove::runtime_options options;
  options.workers = workers;
  return options;
}
cove::runtime_options two_workers(bool helped) {
  cove::runtime_options options = watched(2);
  options.sysmon = helped;
  options.spin = helped;
  return options;
}

task<std::size_t> read_one(tcp_stream* stream) {
  std::array<std::byte, 1> buffer{};
  co_return co_await stream->read_some(buffer);
}

/// What arrived within `patience`, on a thread that is no worker.
std::string receive_on_thread(const raw_peer& peer) {
  pollfd wanted{peer.fd(), POLLIN, 0};
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
  std::string bytes(16, '\0');
  ssize_t count = 0;
  if (::poll(&wanted, 1, static_cast<int>(limit.count())) == 1)
    count = ::recv(peer.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

/// A thread beside the runtime: when `workers` of them are held up it has an echo on each link, a
/// few times over, and only then lets the workers go.
std::thread ask_while_held(obstacle* ahead, unsigned workers, std::vector<linked>* links) {
  return std::thread([ahead, workers, links] {
    CHECK(thread_waits_for([ahead, workers] { return ahead->held() == workers; }));
    for (int trip = 0; trip < 3; ++trip) {
      for (linked& each : *links) each.peer.send("ping");
      for (linked& each : *links) CHECK(receive_on_thread(each.peer) == "ping");
    }
    ahead->let_go();
  });
}

/// Every worker is held up, in this way; those who take their places answer the connections.
task<> hold_up_all(unsigned workers, stuck_in how) {
  std::vector<linked> links;
  std::vector<cove::join_handle<>> echoing;
  for (int i = 0; i < 4; ++i) links.push_back(co_await make_link());
  for (linked& each : links) echoing.push_back(cove::spawn(echo, &each.stream));
  for (int round = 0; round < 3; ++round) {
    obstacle ahead;
    const std::uint64_t before = cove::runtime::current()->stats().hand_offs;
    std::thread asking = ask_while_held(&ahead, workers, &links);
    std::vector<cove::join_handle<bool>> stuck;
    for (unsigned i = 0; i < workers; ++i) stuck.push_back(cove::spawn(run_into, &ahead, how));
    for (auto& each : stuck) {
      const bool went_on = co_await each;
      CHECK(went_on);
    }
    asking.join();
    CHECK(cove::runtime::current()->stats().hand_offs > before);
    const auto none_lost = [] { return cove::runtime::current()->stats().threads_lost == 0; };
    co_await eventually(none_lost);
  }
  for (linked& each : links) each.peer.finish();
  for (auto& each : echoing) co_await each;
}

task<> count_read(tcp_stream* stream, std::atomic<std::size_t>* answered) {
  const std::size_t count = co_await read_one(stream);
  CHECK(count == 1);
  ++*answered;
}

/// The worker is held up with reads of its own begun, and perhaps not handed in.
task<bool> begin_and_get_stuck(std::span<linked> links, std::atomic<std::size_t>* answered,
                               obstacle* ahead) {
  std::vector<cove::join_handle<>> reads;
  for (linked& each : links) reads.push_back(cove::spawn(count_read, &each.stream, answered));
  co_await cove::this_task::yield();
  const bool went_on = ahead->hold_up();
  for (auto& each : reads) co_await each;
  co_return went_on;
}

/// Every worker is held up behind reads that it began; these end before it is let go.
task<> hold_up_readers(unsigned workers) {
  constexpr std::size_t share = 4;
  std::vector<linked> links;
  for (std::size_t i = 0; i < share * workers; ++i) links.push_back(co_await make_link());
  for (int round = 0; round < 3; ++round) {
    obstacle ahead;
    std::atomic<std::size_t> answered{0};
    std::thread sending([&ahead, &answered, &links, workers] {
      CHECK(thread_waits_for([&ahead, workers] { return ahead.held() == workers; }));
      for (linked& each : links) each.peer.send("x");
      CHECK(thread_waits_for([&answered, &links] { return answered == links.size(); }));
      ahead.let_go();
    });
    std::vector<cove::join_handle<bool>> stuck;
    for (std::size_t i = 0; i < workers; ++i) {
      const std::span<linked> mine = std::span(links).subspan(share * i, share);
      stuck.push_back(cove::spawn(begin_and_get_stuck, mine, &answered, &ahead));
    }
    for (auto& each : stuck) {
      const bool went_on = co_await each;
      CHECK(went_on);
    }
    sending.join();
  }
}

}  // namespace

TEST_CASE("M13 a connection's round trips go on while one of two workers is stuck") {
  for (const bool helped : no_and_yes) {
    const auto body = []() -> task<> {
      stream_pair pair = co_await make_streams();
      auto echoing = cove::spawn(echo, &pair.far);
      for (const stuck_in how : every_way) {
        for (int round = 0; round < 5; ++round) {
          co_await converse(&pair.near, round);  // So that it is another worker's turn.
          obstacle ahead;
          auto stuck = cove::spawn(run_into, &ahead, how);
          co_await until_held(&ahead);
          co_await converse(&pair.near, 50);
          ahead.let_go();
          const bool went_on = co_await stuck;
          CHECK(went_on);
        }
      }
      pair.near.abort();
      static_cast<void>(co_await echoing.as_result());
    };
    run_test(body, two_workers(helped));
  }
}

TEST_CASE("M13 reads that a worker began just before it got stuck are answered") {
  for (const bool helped : no_and_yes) {
    const auto body = []() -> task<> {
      std::vector<linked> links;
      for (int i = 0; i < 16; ++i) links.push_back(co_await make_link());
      for (const stuck_in how : every_way) {
        for (int round = 0; round < 5; ++round) {
          obstacle ahead;
          std::vector<cove::join_handle<std::size_t>> reads;
          for (linked& each : links) reads.push_back(cove::spawn(read_one, &each.stream));
          auto stuck = cove::spawn(run_into, &ahead, how);
          co_await until_held(&ahead);
          for (linked& each : links) each.peer.send("x");
          for (auto& each : reads) {
            const std::size_t count = co_await each;
            CHECK(count == 1);
          }
          ahead.let_go();
          const bool went_on = co_await stuck;
          CHECK(went_on);
        }
      }
    };
    run_test(body, two_workers(helped));
  }
}

TEST_CASE("M13 K16 a read is cancelled although the worker that began it is stuck") {
  for (const bool helped : no_and_yes) {
    const auto body = []() -> task<> {
      std::vector<linked> links;
      for (int i = 0; i < 16; ++i) links.push_back(co_await make_link());
      for (const stuck_in how : every_way) {
        obstacle ahead;
        std::vector<cove::join_handle<std::size_t>> reads;
        for (linked& each : links) reads.push_back(cove::spawn(read_one, &each.stream));
        auto stuck = cove::spawn(run_into, &ahead, how);
        co_await until_held(&ahead);
        for (auto& each : reads) each.cancel();
        for (auto& each : reads) {
          const auto ended = co_await each.as_result();
          CHECK(ended.error() == std::errc::operation_canceled);
        }
        ahead.let_go();
        const bool went_on = co_await stuck;
        CHECK(went_on);
      }
      for (linked& each : links) co_await check_link(each.stream, each.peer);
    };
    run_test(body, two_workers(helped));
  }
}

TEST_CASE("M14 connections are answered while every worker blocks") {
  for (const unsigned workers : {1U, 2U, 8U})
    for (const stuck_in how : {stuck_in::sleeping, stuck_in::waiting})
      run_test([workers, how] { return hold_up_all(workers, how); }, watched(workers));
}

TEST_CASE("M14 connections are answered while every worker computes") {
  for (const unsigned workers : {1U, 2U, 8U})
    run_test([workers] { return hold_up_all(workers, stuck_in::computing); }, watched(workers));
}

TEST_CASE("M14 reads are answered that workers began just before all of them blocked") {
  for (const unsigned workers : {1U, 2U, 8U})
    run_test([workers] { return hold_up_readers(workers); }, watched(workers));
}
