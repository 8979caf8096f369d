#include "support/net_test.hpp"

#include <algorithm>

// A task whose reads find what they want every time never waits. It gives way all the same.

namespace {

using namespace cove::test;
using cove::task;

/// The longest row of somebody's operations in which others did not get their turn.
class streak {
 public:
  void count(int turns_of_others) {
    row_ = turns_of_others == last_ ? row_ + 1 : 1;
    last_ = turns_of_others;
    longest_ = std::max(longest_, row_);
  }
  int longest() const { return longest_; }

 private:
  int last_ = 0;
  int row_ = 0;
  int longest_ = 0;
};

constexpr int budget = 128;

task<> take_turns(int* turns, const bool* over) {
  while (!*over) {
    ++*turns;
    co_await cove::this_task::yield();
  }
}

task<> read_one(cove::net::tcp_stream* from, bool* done) {
  std::array<std::byte, 1> byte;
  co_await from->read_exact(byte);
  *done = true;
}

}  // namespace

TEST_CASE("M10 reads that are always ready let another task run, and the network come first") {
  run_test(
      []() -> task<> {
        auto [stream, peer] = co_await make_link();
        auto [other, other_peer] = co_await make_link();
        constexpr int count = 20'000;
        peer.send(std::string(count, 'x'));
        int turns = 0;
        bool over = false;
        bool arrived = false;
        auto beside = cove::spawn(take_turns, &turns, &over);
        auto waiting = cove::spawn(read_one, &other, &arrived);
        co_await until_waiting("read_exact");
        streak alone;
        int late = 0;
        for (int i = 0; i < count; ++i) {
          if (i == count / 2) other_peer.send("!");
          std::array<std::byte, 1> byte;
          const std::size_t n = co_await stream.read_some(byte);
          REQUIRE(n == 1);
          alone.count(turns);
          if (i >= count / 2 && !arrived) ++late;
        }
        over = true;
        co_await beside;
        co_await waiting;
        // The one with which it gave way begins the new turn.
        CHECK(alone.longest() <= budget + 1);
        // The rest of one turn, and the next one if the byte was still on its way.
        CHECK(late <= 2 * budget);
      },
      plain_options(1));
}

TEST_CASE("M10 a loop of maybe_yield lets the network come, and does not give way each time") {
  run_test(
      []() -> task<> {
        auto [other, other_peer] = co_await make_link();
        bool arrived = false;
        auto waiting = cove::spawn(read_one, &other, &arrived);
        co_await until_waiting("read_exact");
        other_peer.send("!");
        const auto runs_before = cove::runtime::current()->stats().task_runs;
        int operations = 0;
        while (!arrived) {
          REQUIRE(++operations < 10'000'000);
          co_await cove::this_task::maybe_yield();
        }
        const auto runs = cove::runtime::current()->stats().task_runs - runs_before;
        CHECK(runs <= static_cast<std::uint64_t>(operations / budget + 8));
        co_await waiting;
      },
      plain_options(1));
}
