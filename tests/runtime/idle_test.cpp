#include <cove/runtime.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/runtime_test.hpp"

// Idle means idle. That is a matter of time, so these tests wait by the clock.

namespace {

using cove::join_handle;
using cove::runtime;
using cove::task;
using cove::test::run_in;
using cove::test::thread_waits_for;
using std::chrono_literals::operator""h;

/// How often the threads of this process have gone to sleep and were woken again, but for the one
/// that asks.
std::uint64_t switches_of_others() {
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/thread-self").filename();
  std::uint64_t total = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    if (thread.path().filename() == self) continue;
    std::ifstream status(thread.path() / "status");
    const std::string wanted = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(status, line);)
      if (line.compare(0, wanted.size(), wanted) == 0)
        total += std::stoull(line.substr(wanted.size()));
  }
  return total;
}

task<> sleeps(std::chrono::hours time) { co_await cove::this_task::sleep_for(time); }
task<> nothing() { co_return; }
task<> calls_often() {
  for (int i = 0; i < 100; ++i) co_await cove::blocking([] {});
}

constexpr std::chrono::milliseconds settling(1500);
constexpr std::chrono::seconds watching(2);
/// Sanitizers have threads of their own, some of which look around every now and then.
constexpr std::uint64_t few = cove::test::sanitized ? 50 : 10;

TEST_CASE("a runtime without anything to do does nothing") {
  cove::runtime_options options;
  options.workers = 2;
  run_in(options, [](runtime& in) {
    std::vector<join_handle<>> handles;
    SUBCASE("empty") {
      for (int i = 0; i < 1000; ++i) in.block_on(nothing);
    }
    SUBCASE("threads of the pool and a thousand sleeps") {
      for (int i = 0; i < 4; ++i) handles.push_back(in.spawn(calls_often));
      for (int i = 0; i < 1000; ++i) handles.push_back(in.spawn(sleeps, 1h));
      CHECK(thread_waits_for([&] { return in.stats().timers == 1000; }));
    }
    std::this_thread::sleep_for(settling);  // tidy: allow (time is the subject)
    const std::uint64_t before = switches_of_others();
    std::this_thread::sleep_for(watching);  // tidy: allow (time is the subject)
    const std::uint64_t after = switches_of_others();
    CHECK(after - before < few);
    for (auto& each : handles) each.cancel();
  });
}

}  // namespace
