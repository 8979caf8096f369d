#pragma once

#include <cove/io/signal_set.hpp>
#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <csignal>
#include <cstdio>
#include <map>

#include "options.hpp"
#include "run_for.hpp"

namespace cove::examples {

/// How a server of the examples ends, and its options for that.
///
/// SIGINT or SIGTERM: it accepts nobody any more and gives its sessions `grace` to end. Those that
/// have not ended then are cancelled, and it says what they were doing. The exit code is 0 either
/// way. A second signal does what it does to any program: it ends it at once.
struct ending {
  std::chrono::nanoseconds grace = std::chrono::seconds(5);
  std::chrono::nanoseconds limit{0};

  void add_to(options& command_line) {
    command_line.duration("--grace", grace,
                          "what sessions have to end after SIGINT or SIGTERM; default: 5s");
    command_line.duration("--for", limit, "end after this time (10s, 500ms, 2min); default: never");
  }
};

/// What the sessions of the calling task's server are doing: how many stand at which place.
inline std::string describe_sessions() {
  const std::string report = runtime::current()->report();
  std::map<std::string, unsigned> found;
  for (std::size_t at = 0, end; (end = report.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string_view line = std::string_view(report).substr(at, end - at);
    if (!line.starts_with("    ")) continue;  // The main task, and the one that serves.
    // `    task 7 "session" (echo_server.cpp:20), waits for read_some at ..., spawned by task 2`
    const std::size_t name = line.find('"');
    ++found[std::string(line.substr(name, line.find(", spawned by") - name))];
  }
  std::string text;
  for (const auto& [what, count] : found)
    text += "  " + std::to_string(count) + " x " + what + "\n";
  return text;
}

inline task<> serve_and_tell(task<> serving, event& ended) {
  co_await std::move(serving);
  ended.set();
}

template <class Asked>
task<> serve_in(scope& inside, net::tcp_listener& listener, task<> serving,
                std::chrono::nanoseconds grace, Asked asked) {
  event ended;
  {
    io::signal_set signals(SIGINT, SIGTERM);
    inside.spawn(serve_and_tell, std::move(serving), std::ref(ended)).detach();
    const auto first = co_await race(signals.wait(), ended.wait());
    if (first.index == 1) co_return;
    std::printf("%s: accepting no more\n",
                std::get<0>(first.results).value() == SIGINT ? "SIGINT" : "SIGTERM");
    std::fflush(stdout);
  }  // Another signal ends the program at once from here on.
  co_await listener.close();
  asked();
  const auto in_time = co_await with_timeout(ended.wait(), grace).as_result();
  if (in_time) {
    std::printf("all sessions have ended\n");
  } else {
    std::printf("cancelled, as they took too long:\n%s", describe_sessions().c_str());
    inside.cancel();
  }
}

/// Runs `serving`, which serves `listener` until that is closed, and ends it as `how` says. Calls
/// `asked()` when the end begins: where sessions would not end by themselves, it may tell them.
template <class Asked>
task<> serve_gracefully(net::tcp_listener& listener, task<> serving, ending how, Asked asked) {
  auto body = [&](scope& inside) {
    return serve_in(inside, listener, std::move(serving), how.grace, asked);
  };
  co_await run_for(with_scope(std::move(body)), how.limit);
}
inline task<> serve_gracefully(net::tcp_listener& listener, task<> serving, ending how) {
  return serve_gracefully(listener, std::move(serving), how, [] {});
}

}  // namespace cove::examples
