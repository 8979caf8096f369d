#include "program.hpp"

#include "observers.hpp"

#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <array>
#include <thread>
#include <utility>

namespace stuck {
namespace {

using namespace std::chrono_literals;
using cove::task;

constexpr auto stuck_time = 500ms;

task<cove::net::tcp_listener> listen() { co_return cove::net::tcp_listener::bind("127.0.0.1:0"); }

task<> echo(cove::net::tcp_stream stream) {
  std::array<std::byte, 256> buffer;
  while (const std::size_t count = co_await stream.read_some(buffer))
    co_await stream.write_all(std::span(buffer).first(count));
}

task<> serve(cove::net::tcp_listener listener) {
  co_await cove::net::serve(std::move(listener), echo);
}

/// Of several tasks, each with a timer of its own, that are due in turn.
task<> keep_time(lateness* seen, std::chrono::nanoseconds first, std::chrono::nanoseconds every) {
  for (auto due = cove::clock::now() + first;; due += every) {
    const auto slept = co_await cove::this_task::sleep_until(due).as_result();
    // One that was overdue when all was cancelled counts, too.
    if (const auto late = cove::clock::now() - due; late >= 0ns) seen->add(late);
    if (!slept) co_return;
  }
}

task<> get_stuck(way how) {
  while (!cove::this_task::stop_requested()) {
    const auto end = std::chrono::steady_clock::now() + stuck_time;
    if (how == way::asleep) std::this_thread::sleep_until(end);
    while (std::chrono::steady_clock::now() < end) {  // Reading the clock is no system call.
    }
    co_await cove::this_task::yield();
  }
}

/// Keeps one thread of the lane.
task<> fill_pool_lane(cove::pool_lane lane) {
  const auto sleep = [] { std::this_thread::sleep_for(stuck_time); };
  while (!cove::this_task::stop_requested()) {
    const auto slept = co_await cove::blocking(lane, sleep).as_result();
    if (!slept) co_return;
  }
}

void fill_pool(cove::runtime& program, unsigned threads) {
  for (const auto lane : {cove::pool_lane::file, cove::pool_lane::dns, cove::pool_lane::user})
    for (unsigned i = 0; i < 2 * threads; ++i) program.spawn(fill_pool_lane, lane).detach();
}

}  // namespace

figures measure(const setup& wanted) {
  cove::runtime_options options;
  options.workers = wanted.workers;
  options.backend = wanted.backend;
  options.stall_after = 0ms;  // That its tasks get stuck is known.
  constexpr unsigned pool_threads = 16;
  for (cove::lane_options* lane : {&options.pool.file, &options.pool.dns, &options.pool.user})
    lane->threads = lane->threads_max = pool_threads;
  std::array<lateness, 4> timers;
  figures found;
  cove::runtime program(std::move(options));

  cove::net::tcp_listener listener = program.block_on(listen);
  const std::uint16_t port = listener.local_address().port();
  auto serving = program.spawn(serve, std::move(listener));
  for (std::size_t i = 0; i < timers.size(); ++i)
    program.spawn(keep_time, &timers[i], (i + 1) * pitch, timers.size() * pitch).detach();
  if (wanted.how == way::pooled) fill_pool(program, pool_threads);
  if (wanted.how == way::asleep || wanted.how == way::computing)
    for (unsigned i = 0; i < wanted.tasks; ++i) program.spawn(get_stuck, wanted.how).detach();

  observer client(ask_for_echoes, port);
  observer raw(sleep_to_deadlines);
  std::this_thread::sleep_for(wanted.time);
  found.echoes = client.stop();
  found.raw = raw.stop();
  const cove::runtime_stats stats = program.stats();
  program.stop();

  for (const lateness& each : timers) found.timers.add(each);
  found.backend = stats.backend;
  found.backend_reason = stats.backend_reason;
  found.hand_offs = stats.hand_offs;
  found.threads = stats.threads;
  return found;
}

}  // namespace stuck
