// How long connections wait for their echo while a worker is stuck in user code.
//
// Two workers serve eight connections, which a thread asks in turn, each as soon as the one before
// it was answered. Every 300 ms a task keeps its worker busy for 200 ms without a single system
// call. What is measured are the round trips that began while it did, on each backend.
//
// Completions of io_uring run in the thread that submitted: one that is stuck in user code meets
// them at the kernel's next tick. So the tick is printed, too.

#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto stuck_time = 200ms;
constexpr auto pause_time = 100ms;
constexpr int connections = 8;

cove::task<> echo(cove::net::tcp_stream stream) {
  std::array<std::byte, 64> buffer;
  while (const std::size_t count = co_await stream.read_some(buffer))
    co_await stream.write_all(std::span(buffer).first(count));
}

cove::task<> keep_busy(std::atomic<bool>* stuck) {
  *stuck = true;
  const auto end = steady_clock::now() + stuck_time;
  while (steady_clock::now() < end) {  // Reading the clock is no system call.
  }
  *stuck = false;
  co_return;
}

/// A blocking connection.
class client {
 public:
  explicit client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("no connection to the echo service");
  }
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  ~client() { ::close(fd_); }

  steady_clock::duration round_trip() const {
    const auto start = steady_clock::now();
    char byte = 'x';
    if (::send(fd_, &byte, 1, MSG_NOSIGNAL) != 1 || ::recv(fd_, &byte, 1, 0) != 1)
      throw std::runtime_error("the echo service broke off");
    return steady_clock::now() - start;
  }

 private:
  int fd_;
};

/// Asks in turn until it is told to stop. Gives the delays of what began while a worker was stuck.
std::vector<double> ask(std::uint16_t port, const std::atomic<bool>* stuck,
                        const std::atomic<bool>* over) {
  std::vector<double> delays_ms;
  std::array<std::unique_ptr<client>, connections> all;
  for (auto& each : all) each = std::make_unique<client>(port);
  while (!*over) {
    for (const auto& each : all) {
      const bool counts = *stuck;
      const std::chrono::duration<double, std::milli> took = each->round_trip();
      if (counts) delays_ms.push_back(took.count());
    }
  }
  return delays_ms;
}

/// A program that is asked by one thread while it gets stuck again and again.
cove::task<> measure(int rounds, std::vector<double>* delays_ms) {
  auto listener = cove::net::tcp_listener::bind("127.0.0.1:0");
  std::atomic<bool> stuck{false};
  std::atomic<bool> over{false};
  std::thread asking(
      [&, port = listener.local_address().port()] { *delays_ms = ask(port, &stuck, &over); });
  for (int i = 0; i < connections; ++i) {
    cove::net::tcp_stream stream = co_await listener.accept();
    cove::spawn(echo, std::move(stream)).detach();
  }
  for (int round = 0; round < rounds; ++round) {
    co_await cove::this_task::sleep_for(pause_time);
    auto busy = cove::spawn(keep_busy, &stuck);
    co_await busy;
  }
  over = true;
  co_await cove::this_task::sleep_for(pause_time);
  asking.join();
}

double at(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void report(const std::string& backend, unsigned workers, int rounds) {
  cove::runtime_options options;
  options.workers = workers;
  options.backend = backend;
  std::vector<double> delays_ms;
  cove::runtime in(std::move(options));
  in.block_on(measure, rounds, &delays_ms);
  if (delays_ms.empty()) throw std::runtime_error("no round trip began while a worker was stuck");
  std::sort(delays_ms.begin(), delays_ms.end());
  std::printf("%-10s %8zu %8.2f %8.2f %8.2f %8.2f  %s\n", std::string(in.backend()).c_str(),
              delays_ms.size(), at(delays_ms, 0.5), at(delays_ms, 0.99), at(delays_ms, 0.999),
              delays_ms.back(), in.stats().backend_reason.c_str());
}

/// The kernel's tick: what its coarse clock counts in.
double tick_ms() {
  timespec tick{};
  ::clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
  return static_cast<double>(tick.tv_nsec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) try {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 10;
  if (rounds <= 0) throw std::runtime_error("usage: cove_stuck [ROUNDS [BACKEND...]]");
  std::vector<std::string> backends(argv + std::min(argc, 2), argv + argc);
  if (backends.empty()) backends = {"epoll", "io_uring", "epoll-lt", "poll", "select"};
  const double tick = tick_ms();
  std::printf("kernel: HZ=%.0f, a tick is %.0f ms; 2 workers, one of them stuck for 200 ms\n",
              1000 / tick, tick);
  std::printf("delay of an echo meanwhile, in ms\n");
  std::printf("%-10s %8s %8s %8s %8s %8s  %s\n", "backend", "echoes", "p50", "p99", "p99.9", "max",
              "chosen by");
  for (const std::string& each : backends) report(each, 2, rounds);
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "cove_stuck: %s\n", failure.what());
  return 1;
}
