#include "support/net_test.hpp"

#include <cove/runtime/detail/log.hpp>

#include <netinet/tcp.h>
#include <sys/resource.h>

#include <fstream>

// Listening and accepting. Binding twice and binding after a close (L03, L04) cannot be written: a
// listener is bound from its first moment.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::ip_address;
using cove::net::listen_options;
using cove::net::socket_address;
using cove::net::tcp_listener;
using cove::net::tcp_stream;

/// The failure that binding there throws.
std::error_code bind_failure(socket_address at, std::string& said, listen_options options = {}) {
  try {
    tcp_listener::bind(at, options);
  } catch (const cove::error& failure) {
    said = failure.what();
    return failure.code();
  }
  return {};
}

std::error_code bind_failure(socket_address at, listen_options options = {}) {
  std::string said;
  return bind_failure(at, said, options);
}

/// Sends back what comes until the connection ends, however it ends.
task<> echo(tcp_stream peer) {
  std::array<std::byte, 256> buffer;
  for (;;) {
    const auto got = co_await peer.read_some(buffer).as_result();
    if (!got || got.n == 0) co_return;
    const auto sent = co_await peer.write_all(std::span(buffer).first(got.n)).as_result();
    if (!sent) co_return;
  }
}

task<> serve_echo(tcp_listener* listener) { co_await cove::net::serve(*listener, echo); }

task<> check_echo(raw_peer& peer, std::string text) {
  peer.send(text);
  const received answer = co_await peer.receive(text.size());
  CHECK(answer.bytes == text);
}

/// Accepts until the listener is closed; counts what came, and then the end.
struct accept_counts {
  std::atomic<int> accepted{0};
  std::atomic<int> closed{0};
};

task<> accept_counting(tcp_listener* listener, accept_counts* counts) {
  for (;;) {
    auto made = co_await listener->accept().as_result();
    if (!made) {
      CHECK(made.error() == cove::errc::closed);
      ++counts->closed;
      co_return;
    }
    ++counts->accepted;
  }
}

bool reaches(const socket_address& to) {
  raw_peer peer = raw_peer::make(to.ip().is_v6());
  return peer.try_connect(to) == 0;
}

/// While it lives, the process can open no further descriptor.
class no_more_descriptors {
 public:
  no_more_descriptors() {
    // UBSan looks at a type that it sees for the first time through a pipe, so those of the log
    // have to be known before there is none.
    cove::detail::log(cove::detail::log_level::info, "a test takes the descriptors away");
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(lowest_free);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &now) == 0);
  }
  no_more_descriptors(const no_more_descriptors&) = delete;
  ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("L01 binding to a port in use says so and names it") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    const std::size_t before = open_descriptors();
    std::string said;
    CHECK(bind_failure(listener.local_address(), said) == std::errc::address_in_use);
    CHECK(said.find(listener.local_address().to_string()) != std::string::npos);
    CHECK(said.find("EADDRINUSE") != std::string::npos);
    auto v6 = tcp_listener::bind("[::1]:0");
    CHECK(bind_failure(v6.local_address()) == std::errc::address_in_use);
    CHECK(open_descriptors() == before + 1);
    co_return;
  });
}

TEST_CASE("L02 binding to an address of another host is refused") {
  std::string said;
  CHECK(bind_failure("192.0.2.1:0", said) == std::errc::address_not_available);
  CHECK(said.find("192.0.2.1:0") != std::string::npos);
  CHECK(bind_failure("[2001:db8::1]:0") == std::errc::address_not_available);
}

TEST_CASE("L05 L06 port 0 takes a free port and tells which") {
  run_test([]() -> task<> {
    auto first = tcp_listener::bind("127.0.0.1:0");
    auto second = tcp_listener::bind("127.0.0.1:0");
    CHECK(first.local_address().ip() == ip_address::loopback_v4());
    CHECK(first.local_address().port() != 0);
    CHECK(first.local_address().port() != second.local_address().port());
    CHECK(reaches(first.local_address()));
    co_return;
  });
}

TEST_CASE("L07 an address can be bound again at once, with connections in TIME_WAIT") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    const socket_address at = listener.local_address();
    raw_peer peer = raw_peer::connect(at);
    tcp_stream stream = co_await listener.accept();
    // Who closes first keeps the connection in TIME_WAIT: here that is the listener's side.
    co_await stream.close();
    const received end = co_await peer.receive_all();
    CHECK(end.ended);
    peer.close();
    co_await listener.close();
    listener = tcp_listener::bind(at);
    CHECK(listener.local_address() == at);
    peer = raw_peer::connect(at);
    stream = co_await listener.accept();
    peer.send("x");
    std::array<std::byte, 1> buffer;
    const std::size_t n = co_await stream.read_some(buffer);
    CHECK(n == 1);
  });
}

TEST_CASE("L08 listeners that share a port all get connections") {
  run_test([]() -> task<> {
    const listen_options sharing{.reuse_port = true};
    auto first = tcp_listener::bind("127.0.0.1:0", sharing);
    auto second = tcp_listener::bind(first.local_address(), sharing);
    // The kernel spreads them by the hash of the addresses.
    std::array<raw_peer, 64> peers;
    for (raw_peer& peer : peers) peer = raw_peer::connect(first.local_address());
    accept_counts at_first, at_second;
    auto one = cove::spawn(accept_counting, &first, &at_first);
    auto two = cove::spawn(accept_counting, &second, &at_second);
    co_await until([&] { return at_first.accepted + at_second.accepted == 64; });
    CHECK(at_first.accepted > 0);
    CHECK(at_second.accepted > 0);
    co_await first.close();
    co_await second.close();
    co_await one;
    co_await two;
  });
}

TEST_CASE("L08 a port is shared only if all who listen want that") {
  run_test([]() -> task<> {
    const listen_options sharing{.reuse_port = true};
    auto first = tcp_listener::bind("127.0.0.1:0", sharing);
    CHECK(bind_failure(first.local_address()) == std::errc::address_in_use);
    auto alone = tcp_listener::bind("127.0.0.1:0");
    CHECK(bind_failure(alone.local_address(), sharing) == std::errc::address_in_use);
    co_return;
  });
}

TEST_CASE("L09 connections that came before the first accept are all there") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    std::array<raw_peer, 50> peers;
    for (std::size_t i = 0; i < peers.size(); ++i) {
      peers[i] = raw_peer::connect(listener.local_address());
      peers[i].send(std::string(1, static_cast<char>(i)));
    }
    for (std::size_t i = 0; i < peers.size(); ++i) {
      tcp_stream stream = co_await listener.accept();
      CHECK(stream.peer_address() == peers[i].local_address());
      std::array<std::byte, 1> buffer;
      co_await stream.read_exact(buffer);
      CHECK(static_cast<std::size_t>(buffer[0]) == i);
    }
  });
}

TEST_CASE("L10 a burst of connections is accepted whole although it may be one event") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    accept_counts counts;
    auto accepting = cove::spawn(accept_counting, &listener, &counts);
    std::vector<raw_peer> peers;
    int expected = 0;
    constexpr std::array bursts{1, 100, 7, 300};
    for (const int burst : bursts) {
      peers.reserve(peers.size() + static_cast<std::size_t>(burst));
      co_await until_waiting("accept");
      for (int i = 0; i < burst; ++i) peers.push_back(raw_peer::connect(listener.local_address()));
      expected += burst;
      co_await until([&] { return counts.accepted == expected; });
    }
    co_await listener.close();
    co_await accepting;
    CHECK(counts.accepted == expected);
  });
}

TEST_CASE("L11 of several accepts at once each connection goes to exactly one") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    constexpr std::size_t connections = 200;
    std::array<std::atomic<int>, connections> seen{};
    std::atomic<std::size_t> total{0};
    const auto accept_and_ask = [&]() -> task<> {
      for (;;) {
        auto made = co_await listener.accept().as_result();
        if (!made) break;
        tcp_stream stream = *std::move(made);
        std::array<std::byte, 1> number;
        co_await stream.read_exact(number);
        ++seen[static_cast<std::size_t>(number[0])];
        ++total;
      }
    };
    std::array<cove::join_handle<>, 8> acceptors;
    for (auto& each : acceptors) each = cove::spawn(accept_and_ask);
    for (std::size_t i = 0; i < connections; ++i) {
      raw_peer peer = raw_peer::connect(listener.local_address());
      peer.send(std::string(1, static_cast<char>(i)));
      if (i % 16 == 0) co_await cove::this_task::yield();
    }
    co_await until([&] { return total == connections; });
    co_await listener.close();
    for (auto& each : acceptors) co_await each;
    for (const auto& count : seen) CHECK(count == 1);
  });
}

TEST_CASE("L12 an accept whose deadline has passed fails although a client waits") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    raw_peer peer = raw_peer::connect(listener.local_address());
    auto late = cove::with_timeout(listener.accept().as_result(), 0ms);
    const auto refused = co_await std::move(late);
    CHECK(refused.error() == cove::errc::deadline_exceeded);
    auto in_time = cove::with_timeout(listener.accept().as_result(), 10s);
    const auto made = co_await std::move(in_time);
    REQUIRE(made.has_value());
    CHECK(made->peer_address() == peer.local_address());
    auto nobody = cove::with_timeout(listener.accept().as_result(), 5ms);
    const auto none = co_await std::move(nobody);
    CHECK(none.error() == cove::errc::deadline_exceeded);
  });
}

TEST_CASE("L13 closing a listener ends all accepts that wait, with closed") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    accept_counts counts;
    std::array<cove::join_handle<>, 5> acceptors;
    for (auto& each : acceptors) each = cove::spawn(accept_counting, &listener, &counts);
    co_await until_waiting("accept", 5);
    CHECK(counts.closed == 0);
    const std::error_code ended = co_await listener.close();
    CHECK_FALSE(ended);
    CHECK(listener.is_closed());
    for (auto& each : acceptors) co_await each;
    CHECK(counts.accepted == 0);
    CHECK(counts.closed == 5);
    const auto after = co_await listener.accept().as_result();
    CHECK(after.error() == cove::errc::closed);
  });
}

TEST_CASE("L13 a listener that is destroyed ends the accept that waits") {
  run_test([]() -> task<> {
    accept_counts counts;
    auto listener = std::make_unique<tcp_listener>(tcp_listener::bind("127.0.0.1:0"));
    // Not accept_counting: it would touch the listener again.
    const auto accept_once = [](tcp_listener* from, accept_counts* into) -> task<> {
      const auto made = co_await from->accept().as_result();
      CHECK(made.error() == cove::errc::closed);
      ++into->closed;
    };
    auto waiting = cove::spawn(accept_once, listener.get(), &counts);
    co_await until_waiting("accept");
    listener.reset();
    co_await waiting;
    CHECK(counts.closed == 1);
  });
}

TEST_CASE("L14 after close returned the port refuses and can be bound again") {
  run_test([]() -> task<> {
    for (const bool was_awaited : no_and_yes) {
      auto listener = tcp_listener::bind("127.0.0.1:0");
      const socket_address at = listener.local_address();
      if (was_awaited) {
        CHECK(reaches(at));
        co_await listener.accept();
      }
      const std::error_code ended = co_await listener.close();
      CHECK_FALSE(ended);
      CHECK_FALSE(reaches(at));
      CHECK(listener.native_handle() == -1);
      auto again = tcp_listener::bind(at);
      CHECK(reaches(at));
    }
  });
}

TEST_CASE("L15 closing a listener resets the clients that were not accepted") {
  run_test([]() -> task<> {
    for (const bool was_awaited : no_and_yes) {
      auto listener = tcp_listener::bind("127.0.0.1:0");
      tcp_stream accepted;
      raw_peer first = raw_peer::connect(listener.local_address());
      if (was_awaited) accepted = co_await listener.accept();
      std::array<raw_peer, 3> waiting;
      for (raw_peer& each : waiting) each = raw_peer::connect(listener.local_address());
      co_await listener.close();
      for (raw_peer& each : waiting) {
        const received end = co_await each.receive_all();
        CHECK(end.error == ECONNRESET);
      }
      if (!was_awaited) continue;
      // What was accepted is nobody's business any more.
      co_await accepted.write_all(bytes_of("alive"));
      const received alive = co_await first.receive(5);
      CHECK(alive.bytes == "alive");
    }
  });
}

TEST_CASE("L16 an accept without descriptors to spare fails, and the connection comes later") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    raw_peer peer = raw_peer::connect(listener.local_address());
    {
      const no_more_descriptors limit;
      for (int i = 0; i < 3; ++i) {
        const auto made = co_await listener.accept().as_result();
        CHECK(made.error() == std::errc::too_many_files_open);
      }
    }
    const tcp_stream stream = co_await listener.accept();
    CHECK(stream.peer_address() == peer.local_address());
  });
}

TEST_CASE("L16 serve without descriptors to spare serves on, does not spin, and accepts later") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto serving = cove::spawn(serve_echo, &listener);
    raw_peer first = raw_peer::connect(listener.local_address());
    co_await check_echo(first, "before");
    raw_peer second = raw_peer::make();
    {
      const no_more_descriptors limit;
      REQUIRE(second.try_connect(listener.local_address()) == 0);
      second.send("patience");
      const std::uint64_t runs_before = cove::runtime::current()->stats().task_runs;
      constexpr int rounds = 25;
      for (int i = 0; i < rounds; ++i) co_await check_echo(first, "meanwhile");
      // An accept that spins runs thousands of times while a round's millisecond passes.
      CHECK(cove::runtime::current()->stats().task_runs - runs_before < 20 * rounds);
    }
    const received answer = co_await second.receive(8);
    CHECK(answer.bytes == "patience");
    first.close();
    second.close();
    co_await listener.close();
    co_await serving;
  });
}

TEST_CASE("L17 a client that went away before it was accepted does not stop serving") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    for (int i = 0; i < 3; ++i) raw_peer::connect(listener.local_address()).reset();
    auto serving = cove::spawn(serve_echo, &listener);
    for (int i = 0; i < 3; ++i) {
      raw_peer good = raw_peer::connect(listener.local_address());
      raw_peer::connect(listener.local_address()).reset();
      co_await check_echo(good, "good");
    }
    co_await listener.close();
    co_await serving;
  });
}

TEST_CASE("L18 an accepted descriptor is non-blocking and closed on exec, as is every other one") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    tcp_stream near = co_await tcp_stream::connect(listener.local_address());
    tcp_stream far = co_await listener.accept();
    const std::array all{listener.native_handle(), near.native_handle(), far.native_handle()};
    for (const int fd : all) {
      CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
      CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
  });
}

TEST_CASE("L19 a session may accept further connections and close its own at once") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    std::atomic<int> sessions{0};
    const auto session = [&](tcp_stream stream) -> task<> {
      ++sessions;
      co_await stream.close();
      const auto next = co_await listener.accept().as_result();
      if (next) ++sessions;  // Closed where it is dropped.
    };
    const auto serve = [&]() -> task<> { co_await cove::net::serve(listener, session); };
    auto serving = cove::spawn(serve);
    for (int i = 0; i < 40; ++i) {
      raw_peer peer = raw_peer::connect(listener.local_address());
      const received end = co_await peer.receive_all();
      CHECK(end.ended);
    }
    CHECK(sessions == 40);
    co_await listener.close();
    co_await serving;
  });
}

TEST_CASE("L20 a backlog beyond the system's limit means that limit") {
  run_test([]() -> task<> {
    unsigned most = 0;
    std::ifstream("/proc/sys/net/core/somaxconn") >> most;
    REQUIRE(most > 0);
    constexpr std::array backlogs{65'536U, 70'000U, 0x8000'0000U, 0xffff'ffffU};
    for (const unsigned backlog : backlogs) {
      auto listener = tcp_listener::bind("127.0.0.1:0", {.backlog = backlog});
      tcp_info info{};
      socklen_t length = sizeof info;
      REQUIRE(::getsockopt(listener.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
      // For a listener these are the lengths of its queue: now, and at most.
      CHECK(info.tcpi_sacked == std::min(most, backlog));
    }
    co_return;
  });
}

TEST_CASE("L21 an IPv6 wildcard listener takes both families unless it is told not to") {
  run_test([]() -> task<> {
    auto both = tcp_listener::bind("[::]:0");
    const std::uint16_t port = both.local_address().port();
    CHECK(reaches(socket_address(ip_address::loopback_v4(), port)));
    CHECK(reaches(socket_address(ip_address::loopback_v6(), port)));
    const tcp_stream v4 = co_await both.accept();
    CHECK(v4.peer_address().ip().unmapped() == ip_address::loopback_v4());
    const tcp_stream v6 = co_await both.accept();
    CHECK(v6.peer_address().ip() == ip_address::loopback_v6());

    auto only_v6 = tcp_listener::bind("[::]:0", {.v6_only = true});
    const std::uint16_t other = only_v6.local_address().port();
    CHECK_FALSE(reaches(socket_address(ip_address::loopback_v4(), other)));
    CHECK(reaches(socket_address(ip_address::loopback_v6(), other)));
    // So the other family's listener finds the port free.
    auto beside = tcp_listener::bind(socket_address(ip_address::any_v4(), other));
    CHECK(reaches(socket_address(ip_address::loopback_v4(), other)));
    const tcp_stream to_v4 = co_await beside.accept();
    CHECK(to_v4.peer_address().ip() == ip_address::loopback_v4());
  });
}

TEST_CASE("L22 a wildcard address and a specific one conflict, two specific ones do not") {
  run_test([]() -> task<> {
    auto wildcard = tcp_listener::bind("0.0.0.0:0");
    const std::uint16_t port = wildcard.local_address().port();
    CHECK(bind_failure(socket_address(ip_address::any_v4(), port)) == std::errc::address_in_use);
    CHECK(bind_failure(socket_address(ip_address::loopback_v4(), port)) ==
          std::errc::address_in_use);
    auto one = tcp_listener::bind("127.0.0.1:0");
    const std::uint16_t shared = one.local_address().port();
    CHECK(bind_failure(socket_address(ip_address::any_v4(), shared)) == std::errc::address_in_use);
    const socket_address second(ip_address::v4(127, 0, 0, 2), shared);
    auto two = tcp_listener::bind(second);
    CHECK(reaches(second));
    co_return;
  });
}
