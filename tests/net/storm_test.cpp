#include "support/net_test.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <csignal>
#include <random>

// Much at once: cancels, closes and signals from many sides, and more operations in flight than a
// backend's queues hold. Each storm must leave nothing behind: run_test looks for tasks, timers and
// descriptors, and a backend stops the program if a descriptor goes with an operation inside.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_stream;

constexpr std::array worker_counts{1U, 2U, 4U, 8U};

cove::runtime_options with_workers(unsigned count) {
  cove::runtime_options options;
  options.workers = count;
  return options;
}

task<cove::io_result> read_one(tcp_stream* stream) {
  std::array<std::byte, 1> buffer{};
  co_return co_await stream->read_some(buffer).as_result();
}
task<cove::io_result> write_much(tcp_stream* stream, std::string_view text) {
  co_return co_await stream->write_all(bytes_of(text)).as_result();
}

task<std::vector<linked>> make_links(std::size_t count, int receive_buffer) {
  std::vector<linked> made;
  auto listener = cove::net::tcp_listener::bind("127.0.0.1:0");
  for (std::size_t i = 0; i < count; ++i) {
    raw_peer peer = raw_peer::connect(listener.local_address(), receive_buffer);
    tcp_stream stream = co_await listener.accept();
    made.emplace_back(std::move(stream), std::move(peer));
  }
  co_return made;
}

using reads = std::vector<cove::join_handle<cove::io_result>>;

/// Cancels every `step`th from `from` on; each with a byte that may come first.
task<> cancel_some(reads* all, std::vector<linked>* links, std::size_t from, std::size_t step) {
  for (std::size_t i = from; i < all->size(); i += step) {
    if (i % 3 == 0) (*links)[i].peer.send("x");
    (*all)[i].cancel();
    if (i % 7 == 0) co_await cove::this_task::yield();
  }
}

/// What a cancelled read did not take is still there.
task<> check_bytes(reads* all, std::vector<linked>* links) {
  for (std::size_t i = 0; i < all->size(); ++i) {
    cove::io_result got;
    const auto ended = co_await (*all)[i].as_result();
    if (ended.has_value()) got = *ended;
    if (i % 3 != 0) {
      CHECK(got.n == 0);
    } else if (got.n == 0) {
      const cove::io_result later = co_await read_one(&(*links)[i].stream);
      CHECK(later.n == 1);
    }
  }
}

}  // namespace

TEST_CASE("K16 K21 a storm of cancels from several tasks loses no byte and leaves nothing") {
  for (const unsigned workers : worker_counts) {
    const auto body = []() -> task<> {
      std::vector<linked> links = co_await make_links(60, 0);
      for (int round = 0; round < (sanitized ? 4 : 20); ++round) {
        reads all;
        for (linked& each : links) all.push_back(cove::spawn(read_one, &each.stream));
        if (round % 2 == 0) co_await until_waiting("read_some", links.size());
        std::vector<cove::join_handle<void>> cancellers;
        for (std::size_t from = 0; from < 4; ++from)
          cancellers.push_back(cove::spawn(cancel_some, &all, &links, from, std::size_t{4}));
        for (auto& each : cancellers) co_await each;
        co_await check_bytes(&all, &links);
      }
      for (linked& each : links) co_await check_link(each.stream, each.peer);
    };
    run_test(body, with_workers(workers));
  }
}

TEST_CASE("K21 a storm of closes from tasks, threads and peers leaves nothing") {
  const std::string text = pattern(300'000);
  for (const unsigned workers : worker_counts) {
    const auto body = [&text]() -> task<> {
      for (int round = 0; round < (sanitized ? 2 : 8); ++round) {
        std::vector<linked> links = co_await make_links(40, 8192);
        reads all;
        for (linked& each : links) {
          each.stream.set_send_buffer(8192);
          all.push_back(cove::spawn(read_one, &each.stream));
          all.push_back(cove::spawn(write_much, &each.stream, std::string_view(text)));
        }
        if (round % 2 == 0) co_await until_waiting("write_all", links.size());
        std::thread outside([&links] {
          for (std::size_t i = 0; i < links.size(); i += 2) links[i].stream.abort();
          for (std::size_t i = 1; i < links.size(); i += 4) links[i].peer.reset();
        });
        for (std::size_t i = 0; i < links.size(); i += 3)
          static_cast<void>(co_await links[i].stream.close());
        outside.join();
        for (linked& each : links) each.stream.abort();
        for (auto& each : all) {
          const cove::io_result ended = co_await each;
          CHECK(ended.error);
        }
        CHECK(cove::runtime::current()->stats().timers == 0);
        CHECK(cove::runtime::current()->stats().tasks_live == 1);
      }
    };
    run_test(body, with_workers(workers));
  }
}

namespace {

/// As many connections as `wanted`, if the process may have the descriptors for them, and the
/// backend knows numbers that high.
std::size_t connections_to_be_had(std::size_t wanted) {
  if (cove::runtime(plain_options(1)).backend() == "select") return 400;
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
  constexpr std::size_t spare = 500;
  const auto most = static_cast<std::size_t>(limit.rlim_cur);
  if (most >= 2 * wanted + spare) return wanted;
  MESSAGE("the limit of descriptors allows for less than was to be tried: ", most);
  return (most - spare) / 2;
}

task<> count_byte(tcp_stream* stream, std::atomic<std::size_t>* begun,
                  std::atomic<std::size_t>* came) {
  std::array<std::byte, 1> buffer{};
  ++*begun;
  *came += co_await stream->read_some(buffer);
}

/// All wait for a byte, and all get it while no worker of one is there to be told.
task<> flood(std::vector<linked>* links) {
  std::atomic<std::size_t> begun{0};
  std::atomic<std::size_t> came{0};
  std::vector<cove::join_handle<void>> waiting;
  for (linked& each : *links)
    waiting.push_back(cove::spawn(count_byte, &each.stream, &begun, &came));
  const std::size_t count = links->size();
  co_await eventually([&begun, count] { return begun == count; });
  std::thread writer([links] {
    for (linked& each : *links) each.peer.send("x");
  });
  writer.join();
  for (auto& each : waiting) co_await each;
  CHECK(came == count);
}

}  // namespace

TEST_CASE("more reads end at once than a queue of completions holds, and none is lost") {
  const std::size_t count = connections_to_be_had(sanitized ? 4500 : 6000);
  for (const unsigned workers : {1U, 2U}) {
    const auto body = [count]() -> task<> {
      std::vector<linked> links = co_await make_links(count, 0);
      co_await flood(&links);
      co_await flood(&links);
      for (linked& each : links) each.peer.close();
    };
    run_test(body, plain_options(workers));  // Sysmon would collect meanwhile.
  }
}

TEST_CASE("K21 more reads are cancelled at once than a submission queue holds") {
  const std::size_t count = connections_to_be_had(1000);
  for (const unsigned workers : {1U, 2U}) {
    const auto body = [count]() -> task<> {
      std::vector<linked> links = co_await make_links(count, 0);
      for (int round = 0; round < 3; ++round) {
        std::atomic<std::size_t> begun{0};
        std::atomic<std::size_t> came{0};
        std::vector<cove::join_handle<void>> waiting;
        for (linked& each : links)
          waiting.push_back(cove::spawn(count_byte, &each.stream, &begun, &came));
        if (round != 0) co_await eventually([&begun, count] { return begun == count; });
        for (auto& each : waiting) each.cancel();
        for (auto& each : waiting) {
          const auto ended = co_await each.as_result();
          CHECK(ended.error() == std::errc::operation_canceled);
        }
        CHECK(came == 0);
      }
      co_await flood(&links);
    };
    run_test(body, with_workers(workers));
  }
}

namespace {

/// Interrupts whatever each thread of the process waits for, again and again.
class interruptions {
 public:
  interruptions() {
    struct sigaction nothing{};
    nothing.sa_handler = [](int) {};  // Without SA_RESTART.
    REQUIRE(::sigaction(SIGUSR1, &nothing, &before_) == 0);
    thread_ = std::thread([this] { run(); });
  }
  interruptions(const interruptions&) = delete;
  interruptions& operator=(const interruptions&) = delete;
  ~interruptions() {
    over_ = true;
    thread_.join();
    // Ignoring a signal takes back those that are on their way.
    static_cast<void>(std::signal(SIGUSR1, SIG_IGN));
    ::sigaction(SIGUSR1, &before_, nullptr);
  }
  int rounds() const noexcept { return rounds_; }

 private:
  void run() {
    while (!over_) {
      for (const auto& each : std::filesystem::directory_iterator("/proc/self/task"))
        ::syscall(SYS_tgkill, ::getpid(), std::stoi(each.path().filename()), SIGUSR1);
      ++rounds_;
    }
  }

  struct sigaction before_{};
  std::atomic<bool> over_{false};
  std::atomic<int> rounds_{0};
  std::thread thread_;
};

task<> echo(tcp_stream* stream) {
  std::array<std::byte, 16> buffer{};
  while (const std::size_t count = co_await stream->read_some(buffer))
    co_await stream->write_all(std::span(buffer).first(count));
}

}  // namespace

TEST_CASE("signals that interrupt every wait in the kernel lose no event") {
  for (const unsigned workers : worker_counts) {
    const auto body = []() -> task<> {
      auto [near, far] = co_await make_streams();
      auto echoing = cove::spawn(echo, &far);
      const interruptions storm;
      std::array<std::byte, 4> buffer{};
      for (int trip = 0; trip < 100 || storm.rounds() < 50; ++trip) {
        co_await near.write_all(buffer);
        co_await near.read_exact(buffer);
        // All workers wait, with a limit this time.
        co_await cove::this_task::sleep_for(50us);  // tidy: allow
      }
      near.abort();
      static_cast<void>(co_await echoing.as_result());
    };
    run_test(body, with_workers(workers));
  }
}
