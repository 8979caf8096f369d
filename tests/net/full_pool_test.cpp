#include "support/blocked_calls.hpp"
#include "support/net_test.hpp"

// A pool whose threads are all stuck, with more calls queued behind, holds up nobody but those who
// wait for it. Nothing is measured: while it is full, traffic and timers must come to their end at
// all, because only then it is let go.

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

task<int> call(blocked_calls* at, int number) {
  const auto lane = static_cast<cove::pool_lane>(number % static_cast<int>(cove::pool_lanes));
  const int passed = co_await cove::blocking(lane, &blocked_calls::pass, at, number);
  co_return passed;
}

}  // namespace

TEST_CASE("F13 with every thread of every lane stuck, connections and timers go on") {
  const auto body = []() -> task<> {
    constexpr int threads = 6;  // Two in each lane.
    constexpr int calls_made = 21;
    blocked_calls calls;
    std::vector<cove::join_handle<int>> callers;
    for (int i = 0; i < calls_made; ++i) callers.push_back(cove::spawn(call, &calls, i));
    co_await calls.have_begun(threads);
    const auto others_wait = [] {
      const cove::pool_stats now = cove::runtime::current()->stats().pool;
      return now.file.queued + now.dns.queued + now.user.queued == calls_made - threads;
    };
    co_await eventually(others_wait);

    stream_pair pair = co_await make_streams();
    auto echoing = cove::spawn(echo, &pair.far);
    std::array<std::byte, 4> buffer{};
    for (int i = 0; i < 50; ++i) {
      co_await pair.near.write_all(buffer);
      co_await pair.near.read_exact(buffer);
      co_await cove::this_task::sleep_for(10us);
    }
    // A limit passes for who reads as for who waits for the pool.
    auto silent = cove::with_timeout(pair.near.read_some(buffer), 1ms);
    const std::error_code read = co_await code_of(std::move(silent));
    CHECK(read == cove::errc::deadline_exceeded);
    auto unlucky = cove::with_timeout(call(&calls, calls_made), 1ms);
    const std::error_code called = co_await code_of(std::move(unlucky));
    CHECK(called == cove::errc::deadline_exceeded);
    CHECK(calls.begun() == threads);

    calls.release(calls_made);
    for (auto& each : callers) static_cast<void>(co_await each);
    pair.near.abort();
    static_cast<void>(co_await echoing.as_result());
  };
  cove::runtime_options options = net_options();
  options.pool.user.threads_max = options.pool.file.threads_max = 2;
  options.pool.dns.threads_max = 2;
  run_test(body, options);
}
