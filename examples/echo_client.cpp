// A load generator for echo servers: opens many connections, keeps some messages in flight on each,
// checks every byte that comes back, and says how many requests a second that made and how long
// they took. It shows scopes (each phase of the load is one), a watch that ends its scope, and
// writing without waiting. Ctrl-C ends it early, with a report. Try it beside the echo server:
//
//     build/release/examples/echo_client --address 127.0.0.1:9000 --connections 100 --duration 5s
//     build/release/examples/echo_client --connections 10000 --messages 100 --depth 4 --json

#include "support/conversation.hpp"
#include "support/load_report.hpp"
#include "support/open_streams.hpp"
#include "support/options.hpp"

#include <cove/io/signal_set.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>

using namespace std::chrono_literals;
using cove::examples::load_plan;
using cove::net::tcp_stream;

struct load {
  explicit load(const load_plan& what) : plan(what), streams(what.connections) {}

  const load_plan plan;
  std::vector<tcp_stream> streams;
  cove::examples::tally results;
  cove::clock::time_point end;  // No new messages from here on, where the plan gives a duration.
};

cove::task<> converse(load& all, unsigned id) {
  tcp_stream& peer = all.streams[id];
  cove::examples::conversation talk(all.plan, all.results, id, all.end);
  try {
    while (true) {
      // Writing never waits: a server that takes no more has something to give back first.
      while (!talk.to_send().empty()) {
        const cove::io_result moved = peer.try_write(talk.to_send());
        talk.was_sent(moved.n);
        if (moved.error == std::errc::operation_would_block) break;
        if (moved.error) throw cove::error(moved.error, "write");
      }
      if (talk.done()) peer.shutdown_write();
      const std::size_t n = co_await peer.read_some(talk.room());
      if (n == 0 && talk.done()) break;
      if (n == 0) throw cove::error(cove::errc::unexpected_end, "read");
      if (!talk.check(n)) throw std::runtime_error("what came back is not what was sent");
    }
  } catch (const cove::canceled&) {  // The watch has said why.
  } catch (const std::exception& why) {
    all.results.failed(why.what());
  }
  all.results.lost(id, talk.in_flight());
  co_await peer.close();
}

/// Ends the load when nothing has come back for too long.
cove::task<> watch(load& all, cove::scope& phase) {
  for (std::uint64_t seen = ~0ULL; seen != all.results.answers();) {
    seen = all.results.answers();
    co_await cove::this_task::sleep_for(all.plan.patience);
  }
  all.results.failed("no answer for too long: gave up");
  phase.cancel();
}

cove::task<> end_on_signal(load& all, cove::io::signal_set& signals, cove::scope& phase) {
  co_await signals.wait();
  all.results.failed("ended by a signal");
  phase.cancel();
}

cove::task<> converse_on_each(load& all, cove::scope& conversations) {
  for (unsigned id = 0; id < all.plan.connections; ++id)
    if (!all.streams[id].is_closed()) conversations.spawn(converse, std::ref(all), id).detach();
  co_return;
}

cove::task<> converse_watched(load& all, cove::io::signal_set& signals, cove::scope& phase) {
  phase.spawn(watch, std::ref(all), std::ref(phase)).detach();
  phase.spawn(end_on_signal, std::ref(all), std::ref(signals), std::ref(phase)).detach();
  co_await cove::with_scope(std::bind_front(converse_on_each, std::ref(all)));
  phase.cancel();  // Who watches; all else has ended.
}

cove::task<int> generate(load_plan plan, std::string address, bool json) {
  load all(plan);
  co_await cove::examples::open_streams(address, all.streams, plan.connecting, all.results);
  const auto closed = [](const tcp_stream& stream) { return stream.is_closed(); };
  const auto failed = std::count_if(all.streams.begin(), all.streams.end(), closed);

  const auto start = cove::clock::now();
  all.end = start + plan.duration;
  cove::io::signal_set signals(SIGINT, SIGTERM);
  co_await cove::with_scope(std::bind_front(converse_watched, std::ref(all), std::ref(signals)));
  const auto report = cove::examples::make_report(plan, all.results,
                                                  plan.connections - static_cast<unsigned>(failed),
                                                  cove::clock::now() - start);
  if (json)
    std::printf("%s\n", report.dump(2).c_str());
  else
    cove::examples::print_report(report);
  co_return all.results.errors().empty() && all.results.lost() == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:9000";
  load_plan plan;
  bool json = false;
  cove::examples::options options(
      "Keeps an echo server busy and checks what comes back. Exit code 0 if all of it was right.");
  options.text("--address", address, "where the server listens");
  options.number("--connections", plan.connections, "connections to open");
  options.number("--connecting", plan.connecting, "connections being opened at once", 1, 4096);
  options.number("--size", plan.size, "bytes of a message", 1, 64 << 20);
  options.number("--depth", plan.depth, "messages in flight on a connection", 1, 65536);
  options.duration("--duration", plan.duration, "how long, as in 10s, 500ms, 2min; default: 5s");
  options.number("--messages", plan.messages, "messages on each connection, instead of a duration");
  options.duration("--patience", plan.patience,
                   "give up after so long without an answer; default: 10s");
  options.exclusive("--messages", "--duration");
  options.flag("--json", json, "print JSON");
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), generate, plan, address, json);
}
