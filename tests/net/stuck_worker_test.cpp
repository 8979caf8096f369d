#include "support/net_test.hpp"

// A worker that is stuck in user code holds up nobody else's traffic, as long as another one is
// free. Nothing here is measured: while the worker is stuck, the others' exchanges must come to
// their end at all, because only they let it go on. bench/cove_stuck says how long it takes.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_stream;

/// Where a worker may be stuck: a system call tells the kernel's completion work apart.
enum class place { computing, sleeping, waiting };
constexpr std::array every_place{place::computing, place::sleeping, place::waiting};

/// What keeps a worker, until somebody lets it go.
class obstacle {
 public:
  /// Does not come back before let_go(). False: that was in vain.
  bool hold_up(place where) {
    reached_ = true;
    const auto limit = std::chrono::steady_clock::now() + patience;
    // Reading the clock is no system call.
    while (!gone_ && std::chrono::steady_clock::now() < limit) {
      if (where == place::sleeping) std::this_thread::sleep_for(10ms);  // tidy: allow
      if (where == place::waiting) {
        std::unique_lock guard(lock_);
        told_.wait_for(guard, patience, [this] { return gone_.load(); });
      }
    }
    return gone_;
  }
  void let_go() {
    {
      const std::lock_guard guard(lock_);
      gone_ = true;
    }
    told_.notify_one();
  }
  const std::atomic<bool>& reached() const noexcept { return reached_; }

 private:
  std::mutex lock_;
  std::condition_variable told_;
  std::atomic<bool> reached_{false};
  std::atomic<bool> gone_{false};
};

task<bool> run_into(obstacle* what, place where) { co_return what->hold_up(where); }

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

/// Two workers; with `helped`, all that the scheduler has against stuck workers.
cove::runtime_options two_workers(bool helped) {
  cove::runtime_options options;
  options.workers = 2;
  options.sysmon = helped;
  options.spin = helped;
  return options;
}

task<std::size_t> read_one(tcp_stream* stream) {
  std::array<std::byte, 1> buffer{};
  co_return co_await stream->read_some(buffer);
}

}  // namespace

TEST_CASE("M13 a connection's round trips go on while one of two workers is stuck") {
  for (const bool helped : no_and_yes) {
    const auto body = []() -> task<> {
      stream_pair pair = co_await make_streams();
      auto echoing = cove::spawn(echo, &pair.far);
      for (const place where : every_place) {
        for (int round = 0; round < 5; ++round) {
          co_await converse(&pair.near, round);  // So that it is another worker's turn.
          obstacle ahead;
          auto stuck = cove::spawn(run_into, &ahead, where);
          co_await eventually(ahead.reached());
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
      for (const place where : every_place) {
        for (int round = 0; round < 5; ++round) {
          obstacle ahead;
          std::vector<cove::join_handle<std::size_t>> reads;
          for (linked& each : links) reads.push_back(cove::spawn(read_one, &each.stream));
          auto stuck = cove::spawn(run_into, &ahead, where);
          co_await eventually(ahead.reached());
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
      for (const place where : every_place) {
        obstacle ahead;
        std::vector<cove::join_handle<std::size_t>> reads;
        for (linked& each : links) reads.push_back(cove::spawn(read_one, &each.stream));
        auto stuck = cove::spawn(run_into, &ahead, where);
        co_await eventually(ahead.reached());
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
