// Limits in their forms: around one await, around a job of many steps, one inside another, and what
// may go on behind them. Nothing else is needed for a time limit: any await can have one.
//
//     build/release/examples/timeout
//     build/release/examples/timeout --limit 1s

#include "support/options.hpp"

#include <cove/net.hpp>

#include <array>
#include <cstdio>

using cove::clock;
using cove::describe;
using cove::this_task::sleep_for;
using std::chrono::nanoseconds;

/// 1. with_timeout: any task or operation. as_result() reports in place of a throw.
cove::task<> around_one_await(nanoseconds limit) {
  const auto late = co_await cove::with_timeout(sleep_for(100 * limit), limit).as_result();
  std::printf("1. a long sleep: %s\n", describe(late.error()).c_str());
  const auto in_time = co_await cove::with_timeout(sleep_for(limit), 100 * limit).as_result();
  std::printf("1. a short one: %s\n", in_time ? "in time" : describe(in_time.error()).c_str());
}

/// 2. with_deadline: one moment for all steps of a job, however long each of them takes.
cove::task<> around_many_steps(nanoseconds limit) {
  const clock::time_point end = clock::now() + 5 * limit;
  int steps = 0;
  try {
    for (;; ++steps) co_await cove::with_deadline(sleep_for(2 * limit), end);
  } catch (const cove::error& why) {
    if (why.code() != cove::errc::deadline_exceeded) throw;
  }
  std::printf("2. steps before the deadline: %d\n", steps);
}

cove::task<bool> is_in_a_hurry(nanoseconds limit) {
  co_return cove::this_task::deadline() < clock::now() + 50 * limit;
}

/// 3. Of limits inside one another the earliest counts, and whoever works inside can ask for it.
cove::task<> inside_one_another(nanoseconds limit) {
  auto inner = cove::with_timeout(is_in_a_hurry(limit), 100 * limit);
  const bool outer_counts = co_await cove::with_timeout(std::move(inner), 10 * limit);
  std::printf("3. the earlier limit counts: %s\n",
              outer_counts ? "the outer one" : "the inner one");
}

/// 4. A limit loses nothing: an operation that is broken off says what had moved, and the next one
/// goes on from there.
cove::task<> without_loss(nanoseconds limit) {
  auto listener = cove::net::tcp_listener::bind("127.0.0.1:0");
  auto near = co_await cove::net::tcp_stream::connect(listener.local_address());
  auto far = co_await listener.accept();
  co_await far.write_all(cove::io::bytes_of("hello "));

  std::array<char, 11> text{};
  const auto buffer = std::as_writable_bytes(std::span(text));
  // Late or not, what has come is in the buffer.
  auto reading = near.read_exact(buffer).as_result();
  const auto first = co_await cove::with_timeout(std::move(reading), 20 * limit);
  co_await far.write_all(cove::io::bytes_of("world"));
  co_await near.read_exact(buffer.subspan(first.n));
  std::printf("4. %zu bytes came in time, all of them in the end: %.*s\n", first.n,
              static_cast<int>(text.size()), text.data());
}

/// What must be finished once it was begun stands behind a shield, with a limit of its own.
cove::task<> work_and_clean_up(nanoseconds limit) {
  try {
    co_await sleep_for(100 * limit);
  } catch (const cove::error&) {
  }
  // The limit has passed: without the shield this would fail at once.
  co_await cove::shield(cove::with_timeout(sleep_for(limit), 100 * limit));
  std::printf("5. cleaned up although the limit has passed\n");
  co_await cove::this_task::yield();  // The request is still there: it throws here.
}

/// 5. shield: out of reach of limits from outside.
cove::task<> behind_a_shield(nanoseconds limit) {
  const auto ended = co_await cove::with_timeout(work_and_clean_up(limit), limit).as_result();
  std::printf("5. and then: %s\n", ended ? "in time" : describe(ended.error()).c_str());
}

/// 6. Work that awaits nothing is not interrupted; it asks.
cove::task<unsigned> compute() {
  unsigned rounds = 0;
  while (!cove::this_task::stop_requested()) ++rounds;
  co_return rounds;
}

cove::task<> by_asking(nanoseconds limit) {
  const unsigned rounds = co_await cove::with_timeout(compute(), limit);
  std::printf("6. computed until the limit: %s\n", rounds > 0 ? "some rounds" : "nothing");
}

cove::task<> show_all(nanoseconds limit) {
  co_await around_one_await(limit);
  co_await around_many_steps(limit);
  co_await inside_one_another(limit);
  co_await without_loss(limit);
  co_await behind_a_shield(limit);
  co_await by_asking(limit);
}

int main(int argc, char** argv) {
  nanoseconds limit = std::chrono::milliseconds(10);
  cove::examples::options options("Shows time limits in their forms.");
  options.duration("--limit", limit, "the shortest limit; default: 10ms");
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), show_all, limit);
}
