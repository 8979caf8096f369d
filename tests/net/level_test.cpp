#include "support/stream_test.hpp"

#include <sys/resource.h>
#include <filesystem>
#include <fstream>
#include <random>

// Where backends that report levels, edges and completions could differ from each other, and must
// not: what is left in a buffer, two tasks at one descriptor, edits of what a worker is blocked on,
// and the numbers that select cannot take.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_stream;

// ----- levels and edges -----

// With a name: GCC 12 is wrong about braced lists beside a co_await.
constexpr std::array<std::string_view, 3> pairs{"aa", "bb", "cc"};

TEST_CASE("S08 S14 a reader of two bytes at a time gets all of what came at once, and then waits") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 2> buffer;
    for (int round = 0; round < 20; ++round) {
      peer.send("aabbcc");
      for (const std::string_view expected : pairs) {
        const std::size_t n = co_await stream.read_some(buffer);
        CHECK(text_of(std::span(buffer).first(n)) == expected);
      }
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
      co_await until_waiting("read_some");
      peer.send("dd");
      const cove::io_result last = co_await reading;
      CHECK_FALSE(last.error);
      CHECK(text_of(std::span(buffer).first(last.n)) == "dd");
    }
  });
}

TEST_CASE("S08 each of eight bytes that came at once is announced to who reads byte by byte") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    for (int round = 0; round < 20; ++round) {
      peer.send("12345678");
      std::string got;
      while (got.size() < 8) {
        co_await stream.wait_readable();
        std::array<std::byte, 1> one;
        co_await stream.read_exact(one);
        got += text_of(one);
      }
      CHECK(got == "12345678");
    }
    peer.finish();
    co_await stream.wait_readable();
    std::array<std::byte, 1> none;
    const std::size_t n = co_await stream.read_some(none);
    CHECK(n == 0);
  });
}

// ----- two directions of one descriptor -----

TEST_CASE("S18 a reader and a writer of one stream are each woken by what is theirs") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string text = pattern(200'000);
    std::array<std::byte, 1> byte;
    for (int round = 0; round < 30; ++round) {
      auto reading = cove::spawn(fill, &stream, std::span<std::byte>(byte));
      auto writing = cove::spawn(write_whole, &stream, std::string_view(text));
      co_await until_waiting("read_exact");
      co_await until_waiting("write_all");
      // First the one, then the other: who is not meant waits on, and is not forgotten.
      if (round % 2 == 0) {
        peer.send("!");
        const cove::io_result got = co_await reading;
        CHECK_FALSE(got.error);
        CHECK_FALSE(writing.done());
      }
      const received all = co_await peer.receive(text.size());
      CHECK(all.bytes == text);
      const cove::io_result written = co_await writing;
      CHECK_FALSE(written.error);
      if (round % 2 != 0) {
        CHECK_FALSE(reading.done());
        peer.send("!");
        const cove::io_result got = co_await reading;
        CHECK_FALSE(got.error);
      }
    }
  });
}

TEST_CASE("S18 a reset ends a reader and a writer of one stream") {
  run_test([]() -> task<> {
    for (int round = 0; round < 10; ++round) {
      auto [stream, peer] = co_await make_narrow_link();
      const std::string text = pattern(4'000'000);
      std::array<std::byte, 1> byte;
      auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(byte));
      auto writing = cove::spawn(write_whole, &stream, std::string_view(text));
      co_await until_waiting("read_some");
      co_await until_waiting("write_all");
      peer.reset();
      const cove::io_result got = co_await reading;
      const cove::io_result written = co_await writing;
      CHECK(got.error == std::errc::connection_reset);
      CHECK(written.error);
    }
  });
}

// ----- a blocked poller -----

/// Does every thread of this process sleep, but for the one that asks?
bool all_others_sleep() {
  const std::string me = std::to_string(::gettid());
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/task")) {
    if (each.path().filename() == me) continue;
    std::ifstream status(each.path() / "stat");
    std::string text;
    std::getline(status, text);
    const std::size_t name_end = text.rfind(") ");
    if (name_end != std::string::npos && text.compare(name_end + 2, 1, "S") != 0) return false;
  }
  return true;
}

/// Answers each byte that a raw socket gets, from a thread of its own, which blocks.
class answering_thread {
 public:
  explicit answering_thread(int fd) : thread_([fd] { answer(fd); }) {}
  answering_thread(const answering_thread&) = delete;
  answering_thread& operator=(const answering_thread&) = delete;
  ~answering_thread() { thread_.join(); }

 private:
  static void answer(int fd) {
    for (char byte = 0;;) {
      pollfd line{fd, POLLIN, 0};
      ::poll(&line, 1, -1);
      if (::recv(fd, &byte, 1, MSG_DONTWAIT) <= 0) return;
      static_cast<void>(::send(fd, &byte, 1, MSG_NOSIGNAL));
    }
  }
  std::thread thread_;
};

TEST_CASE("M02 a worker that is blocked in the poller hears of what another one waits for") {
  auto options = plain_options(2);
  run_test(
      []() -> task<> {
        auto [stream, peer] = co_await make_link();
        auto [quiet, far] = co_await make_link();
        std::array<std::byte, 1> other;
        auto waiting = cove::spawn(read_into, &quiet, std::span<std::byte>(other));
        co_await until_waiting("read_some");
        const answering_thread answers(peer.fd());
        for (int round = 0; round < 200; ++round) {
          std::array<std::byte, 1> byte{};
          // Without a wait, so that the poller is the other worker. No timer is set.
          CHECK(thread_waits_for(all_others_sleep));
          co_await stream.write_all(byte);
          co_await stream.read_exact(byte);
        }
        far.finish();
        const cove::io_result ended = co_await waiting;
        CHECK(ended.n == 0);
        stream.shutdown_write();
      },
      options);
}

TEST_CASE("L14 a listener that is closed while a worker is blocked on it gives its port back") {
  run_test(
      []() -> task<> {
        const auto accept_one = [](cove::net::tcp_listener* listener) -> task<std::error_code> {
          co_return (co_await listener->accept().as_result()).error();
        };
        for (int round = 0; round < 30; ++round) {
          auto listener = cove::net::tcp_listener::bind("127.0.0.1:0");
          const cove::net::socket_address at = listener.local_address();
          auto accepting = cove::spawn(accept_one, &listener);
          co_await until_waiting("accept");
          // The poller keeps the listener in view, and closing it wakes no task.
          accepting.cancel();
          const std::error_code why = co_await accepting;
          CHECK(why == std::errc::operation_canceled);
          CHECK(thread_waits_for(all_others_sleep));
          const std::error_code closed = co_await listener.close();
          CHECK_FALSE(closed);
          // Without anything else happening: no call may hold the socket. Another process may have
          // just this port for a moment.
          cove::net::tcp_listener again;
          const auto binds = [&again, &at] {
            try {
              again = cove::net::tcp_listener::bind(at);
            } catch (const cove::error&) {
            }
            return !again.is_closed();
          };
          co_await eventually(binds);
        }
      },
      plain_options(2));
}

TEST_CASE(
    "K08 a wait for a descriptor that was closed behind the runtime's back ends where it can") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    // A short read: the next one waits before it tries, and so meets the poller first.
    std::array<std::byte, 8> buffer;
    peer.send("ping");
    const std::size_t n = co_await stream.read_some(buffer);
    CHECK(n == 4);
    ::close(stream.native_handle());
    const std::string_view backend = cove::runtime::current()->backend();
    const bool levels = backend == "epoll-lt" || backend == "poll" || backend == "select";
    std::chrono::milliseconds limit = 50ms;
    if (levels) limit = patience;
    auto limited = cove::with_timeout(stream.read_some(buffer).as_result(), limit);
    const cove::io_result got = co_await std::move(limited);
    if (levels)
      CHECK(got.error == std::errc::bad_file_descriptor);
    else  // Edges say nothing of it; completions, what the system says.
      CHECK(got.error);
    const std::error_code ended = co_await stream.close();
    CHECK(ended == std::errc::bad_file_descriptor);
  });
}

// ----- a storm -----

/// One connection of the storm: read from, cancelled, given data, closed, dropped, in any order.
task<> weather(unsigned seed, int rounds) {
  std::minstd_rand random(seed);
  for (int round = 0; round < rounds; ++round) {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 4> buffer;
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    for (auto pauses = random() % 3; pauses > 0; --pauses) co_await cove::this_task::yield();
    switch (random() % 5) {
      case 0: reading.cancel(); break;
      case 1: stream.abort(); break;
      case 2: co_await stream.close(); break;
      case 3: peer.send("data"); break;
      default: peer.reset(); break;
    }
    reading.cancel();
    try {
      static_cast<void>(co_await reading);
    } catch (const cove::canceled&) {  // Before it had begun.
    }
  }
}

TEST_CASE("K06 a storm of waits, cancels and closes leaves nothing behind") {
  auto options = net_options();
  options.workers = 4;
  run_test(
      []() -> task<> {
        constexpr unsigned connections = 64;
        constexpr int rounds = sanitized ? 10 : 40;
        // Somebody the poller is blocked on all the while.
        auto [quiet, far] = co_await make_link();
        std::array<std::byte, 1> other;
        auto waiting = cove::spawn(read_into, &quiet, std::span<std::byte>(other));
        std::vector<cove::join_handle<void>> storms;
        storms.reserve(connections);
        for (unsigned i = 0; i < connections; ++i)
          storms.push_back(cove::spawn(weather, i + 1, rounds));
        for (auto& each : storms) co_await each;
        far.send("x");
        const cove::io_result got = co_await waiting;
        CHECK(got.n == 1);
      },
      options);
}

// ----- numbers -----

/// Takes all numbers below `end`, for as long as it lives.
class crowded {
 public:
  explicit crowded(int end) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const auto needed = static_cast<rlim_t>(end) + 200;
    if (limit.rlim_cur < needed && needed <= limit.rlim_max) {
      limit.rlim_cur = needed;
      ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0;
         fd = ::fcntl(taken_.front(), F_DUPFD_CLOEXEC, 0)) {
      taken_.push_back(fd);
      if (fd >= end) return;
    }
    enough_ = false;
  }
  crowded(const crowded&) = delete;
  crowded& operator=(const crowded&) = delete;
  ~crowded() {
    for (const int fd : taken_) ::close(fd);
  }

  /// False where the process may not open so many.
  bool enough() const noexcept { return enough_; }

 private:
  std::vector<int> taken_;
  bool enough_ = true;
};

constexpr int crowd = 1100;

/// What reading from a new connection and connecting come to.
task<> try_high_numbers(cove::net::tcp_listener* listener, bool refuses) {
  raw_peer peer = raw_peer::connect(listener->local_address());
  tcp_stream stream = co_await listener->accept();
  CHECK(stream.native_handle() >= crowd);
  if (!refuses) {
    co_await check_link(stream, peer);
    co_return;
  }
  std::array<std::byte, 4> buffer;
  auto reading = stream.read_some(buffer);
  std::string said = co_await outcome_of(std::move(reading));
  CHECK(mentions(said, "descriptor number too high for the backend"));
  CHECK(mentions(said, "number " + std::to_string(stream.native_handle())));
  CHECK(mentions(said, "select watches those below 1024"));
  CHECK(mentions(said, "COVE_BACKEND"));
  const auto written = co_await stream.write_all(bytes_of("text")).as_result();
  CHECK(written.error == cove::errc::descriptor_too_high);
  const deaf_listener deaf;
  auto connecting = tcp_stream::connect(deaf.address());
  said = co_await outcome_of(std::move(connecting));
  CHECK(mentions(said, "connect \""));
  CHECK(mentions(said, "select watches those below 1024"));
  const std::error_code closed = co_await stream.close();
  CHECK_FALSE(closed);
}

TEST_CASE("a descriptor beyond what select can watch is refused with a text that says so") {
  run_test([]() -> task<> {
    auto listener = cove::net::tcp_listener::bind("127.0.0.1:0");
    // Attached while there is room.
    auto first = raw_peer::connect(listener.local_address());
    tcp_stream stream = co_await listener.accept();
    co_await check_link(stream, first);
    const crowded process(crowd);
    if (!process.enough()) {
      MESSAGE("the process may not open enough descriptors");
      co_return;
    }
    co_await try_high_numbers(&listener, cove::runtime::current()->backend() == "select");
    co_await check_link(stream, first);
  });
}

TEST_CASE(
    "M18 a runtime whose select would be beyond its own limit says so, and uses the default") {
  const crowded process(crowd);
  if (!process.enough()) return;
  auto options = net_options();
  options.backend = "select";
  const cove::runtime in(options);
  CHECK(in.backend() == "epoll");
  CHECK(mentions(in.stats().backend_reason, "no select: eventfd 1"));
  CHECK(mentions(in.stats().backend_reason, "descriptor number too high"));
}

constexpr std::array<const char*, 2> file_and_directory{"/proc/self/exe", "/"};

TEST_CASE("a file cannot be waited for on any backend") {
  run_test([]() -> task<> {
    for (const char* path : file_and_directory) {
      const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
      REQUIRE(fd >= 0);
      cove::detail::descriptor file(fd, cove::detail::descriptor_kind::other);
      cove::io::detail::ready_operation wait(file, cove::detail::io_kind::wait_in, "wait");
      const auto said = co_await std::move(wait).as_result();
      CHECK(said.error() == std::errc::operation_not_permitted);
    }
  });
}

}  // namespace
