#include "support/net_test.hpp"

#include <netinet/tcp.h>

// Connecting. Rows that presuppose a handle before its connect (C16, C17) cannot be expressed here:
// connect gives a stream that is connected, or throws.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::net::connect_options;
using cove::net::socket_address;
using cove::net::tcp_listener;
using cove::net::tcp_stream;

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(::getsockopt(fd, level, name, &value, &length) == 0);
  return value;
}

/// What a socket offered in its handshake.
unsigned window_scale(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  REQUIRE(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
  return info.tcpi_rcv_wscale;
}

/// Connects, sends a byte each way, and checks what both ends say of their addresses.
task<> check_connection(socket_address at) {
  auto listener = tcp_listener::bind(at);
  const socket_address bound = listener.local_address();
  tcp_stream near = co_await tcp_stream::connect(bound);
  tcp_stream far = co_await listener.accept();
  CHECK(near.peer_address() == bound);
  CHECK(far.local_address() == bound);
  CHECK(near.local_address() == far.peer_address());
  CHECK(near.local_address().ip() == at.ip());
  CHECK(near.local_address().port() != 0);
  CHECK(near.local_address().port() != bound.port());
  co_await near.write_all(bytes_of("?"));
  std::array<std::byte, 8> buffer;
  const std::size_t asked = co_await far.read_some(buffer);
  CHECK(asked == 1);
  co_await far.write_all(bytes_of("!"));
  const std::size_t answered = co_await near.read_some(buffer);
  CHECK(answered == 1);
}

task<> check_refused_often(socket_address to, int times) {
  int refused = 0;
  for (int i = 0; i < times; ++i) {
    const auto made = co_await tcp_stream::connect(to).as_result();
    if (!made && made.error() == std::errc::connection_refused) ++refused;
  }
  CHECK(refused == times);
}

}  // namespace

TEST_CASE("C01 connecting to a listener of this host gives both ends their addresses") {
  run_test([]() -> task<> { co_await check_connection("127.0.0.1:0"); });
}

TEST_CASE("C01 connecting over IPv6 gives both ends their addresses") {
  run_test([]() -> task<> { co_await check_connection("[::1]:0"); });
}

TEST_CASE("C02 connect to a closed port is refused once") {
  run_test([]() -> task<> {
    const closed_port nobody;
    const auto made = co_await tcp_stream::connect(nobody.address()).as_result();
    CHECK(made.error() == std::errc::connection_refused);
    std::string said;
    try {
      co_await tcp_stream::connect(nobody.address());
    } catch (const cove::error& refused) {
      CHECK(refused.code() == std::errc::connection_refused);
      said = refused.what();
    }
    CHECK(said.find(nobody.address().to_string()) != std::string::npos);
    CHECK(said.find("ECONNREFUSED") != std::string::npos);
  });
}

TEST_CASE(
    "C03 a refused connect leaves nothing to close, and closing a stream that is none works") {
  run_test([]() -> task<> {
    const closed_port nobody;
    const std::size_t before = open_descriptors();
    tcp_stream stream;
    try {
      stream = co_await tcp_stream::connect(nobody.address());
    } catch (const cove::error&) {
    }
    CHECK(open_descriptors() == before);
    CHECK(cove::runtime::current()->stats().descriptors == 0);
    CHECK(stream.is_closed());
    const std::error_code closed = co_await stream.close();
    CHECK(closed == cove::errc::closed);
    // The same object can still become a stream.
    auto listener = tcp_listener::bind("127.0.0.1:0");
    stream = co_await tcp_stream::connect(listener.local_address());
    CHECK_FALSE(stream.is_closed());
    const std::error_code ended = co_await stream.close();
    CHECK_FALSE(ended);
  });
}

TEST_CASE("C04 a refused connect never looks connected first") {
  run_test([]() -> task<> {
    const closed_port nobody;
    co_await cove::with_scope([&](cove::scope& dialers) -> task<> {
      for (int i = 0; i < 4; ++i)
        dialers.spawn(check_refused_often, nobody.address(), 100).detach();
      co_return;
    });
  });
}

TEST_CASE("C05 connecting to a free ephemeral port never reaches oneself") {
  // The kernel takes the next ports of its range for outgoing connections, so that sooner or later
  // it takes the very port that is connected to. An even port, because it prefers those for
  // connections; and odd ones for listeners, so the one after a listener's is free as a rule.
  run_test([]() -> task<> {
    const std::uint16_t listens = closed_port().address().port();
    const std::uint16_t port = static_cast<std::uint16_t>((listens + 1) & ~1);
    // It happens once in some ten thousand times.
    constexpr int times = sanitized ? 3000 : 20'000;
    co_await check_refused_often(socket_address(cove::net::ip_address::loopback_v4(), port), times);
  });
}

TEST_CASE("C06 a connect that nobody answers ends at its limit and nothing comes of it later") {
  run_test([]() -> task<> {
    deaf_listener deaf;
    const std::size_t before = open_descriptors();
    auto attempt = cove::with_timeout(tcp_stream::connect(deaf.address()), 20ms);
    const auto made = co_await std::move(attempt).as_result();
    CHECK(made.error() == cove::errc::deadline_exceeded);
    CHECK(made.error() == std::errc::timed_out);
    CHECK(open_descriptors() == before);
    CHECK(cove::runtime::current()->stats().descriptors == 0);
  });
}

TEST_CASE("C07 the longest limit there is does not mean now") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto attempt = cove::with_timeout(tcp_stream::connect(listener.local_address()),
                                      std::chrono::nanoseconds::max());
    const auto made = co_await std::move(attempt).as_result();
    CHECK(made.has_value());
    auto again = cove::with_timeout(tcp_stream::connect(listener.local_address()),
                                    std::chrono::hours::max());
    const auto made_again = co_await std::move(again).as_result();
    CHECK(made_again.has_value());
  });
}

TEST_CASE("C08 a connect whose deadline has passed fails and makes no connection") {
  run_test([]() -> task<> {
    raw_listener listener;
    constexpr std::array limits{0ms, -5ms};
    for (const auto limit : limits) {
      auto attempt = cove::with_timeout(tcp_stream::connect(listener.address()), limit);
      const auto made = co_await std::move(attempt).as_result();
      CHECK(made.error() == cove::errc::deadline_exceeded);
    }
    const int came = ::accept(listener.fd(), nullptr, nullptr);
    CHECK(came == -1);
    CHECK(errno == EAGAIN);
  });
}

TEST_CASE("C09 cancelling a connect gives its descriptor back and one outcome") {
  run_test([]() -> task<> {
    deaf_listener deaf;
    const std::size_t before = open_descriptors();
    auto dialing = cove::spawn(&tcp_stream::connect, deaf.address(), connect_options{});
    co_await until_waiting("connect");
    CHECK(open_descriptors() == before + 1);
    CHECK_FALSE(dialing.done());
    dialing.cancel();
    const auto made = co_await dialing.as_result();
    CHECK(made.error() == std::errc::operation_canceled);
    CHECK(open_descriptors() == before);
    CHECK(cove::runtime::current()->stats().descriptors == 0);
  });
}

TEST_CASE("C09 a cancel that races with a connect leaves a whole connection or none") {
  run_test([]() -> task<> {
    raw_listener listener;
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 200; ++i) {
      auto dialing = cove::spawn(&tcp_stream::connect, listener.address(), connect_options{});
      for (int turns = i % 4; turns > 0; --turns) co_await cove::this_task::yield();
      dialing.cancel();
      auto made = co_await dialing.as_result();
      if (made) {
        CHECK_FALSE(made->is_closed());
        co_await made->write_all(bytes_of("x"));
      } else {
        CHECK(made.error() == std::errc::operation_canceled);
      }
      // What was given up after the handshake stands in the queue: it must not fill up.
      for (int fd; (fd = ::accept(listener.fd(), nullptr, nullptr)) >= 0;) ::close(fd);
    }
    CHECK(open_descriptors() == before);
  });
}

TEST_CASE("C10 cancelling after the connect returned does not touch the connection") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto dialing = cove::spawn(&tcp_stream::connect, listener.local_address(), connect_options{});
    tcp_stream far = co_await listener.accept();
    co_await until([&dialing] { return dialing.done(); });
    dialing.cancel();
    tcp_stream near = co_await dialing;
    co_await near.write_all(bytes_of("still here"));
    std::array<std::byte, 10> buffer;
    co_await far.read_exact(buffer);
    CHECK(text_of(buffer) == "still here");
  });
}

TEST_CASE("C10 a limit that ends after the connect returned does not touch the connection") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    auto limited = cove::with_timeout(tcp_stream::connect(listener.local_address()), 10s);
    tcp_stream near = co_await std::move(limited);
    CHECK(cove::runtime::current()->stats().timers == 0);
    tcp_stream far = co_await listener.accept();
    co_await far.write_all(bytes_of("still here"));
    std::array<std::byte, 10> buffer;
    co_await near.read_exact(buffer);
    CHECK(text_of(buffer) == "still here");
  });
}

TEST_CASE("C11 connecting to the unspecified address reaches this host") {
  run_test([]() -> task<> {
    auto v4 = tcp_listener::bind("127.0.0.1:0");
    const socket_address any_v4(cove::net::ip_address::any_v4(), v4.local_address().port());
    tcp_stream near = co_await tcp_stream::connect(any_v4);
    CHECK(near.peer_address() == v4.local_address());
    tcp_stream far = co_await v4.accept();
    CHECK(far.peer_address() == near.local_address());

    auto v6 = tcp_listener::bind("[::1]:0");
    const socket_address any_v6(cove::net::ip_address::any_v6(), v6.local_address().port());
    near = co_await tcp_stream::connect(any_v6);
    CHECK(near.peer_address() == v6.local_address());
  });
}

TEST_CASE("C18 connecting to what is no address of a host gives an error that names it") {
  run_test([]() -> task<> {
    const std::size_t before = open_descriptors();
    // A group is no host; a link-local address without its interface leads nowhere.
    constexpr std::array texts{"224.0.0.1:80", "255.255.255.255:80", "[fe80::1]:80",
                               "[ff02::1]:80"};
    for (const char* text : texts) {
      std::string said;
      try {
        auto attempt = cove::with_timeout(tcp_stream::connect(text), 5s);
        co_await std::move(attempt);
      } catch (const cove::error& failure) {
        said = failure.what();
        CHECK(failure.code() != cove::errc::deadline_exceeded);
      }
      CHECK(said.find(text) != std::string::npos);
    }
    const auto made = co_await tcp_stream::connect("127.0.0.1:0").as_result();
    CHECK_FALSE(made.has_value());
    CHECK(open_descriptors() == before);
  });
}

TEST_CASE("C20 the options given to connect are set on its socket before it connects") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    const connect_options options{
        .nodelay = false, .receive_buffer = 20'000, .send_buffer = 30'000};
    tcp_stream near = co_await tcp_stream::connect(listener.local_address(), options);
    const int fd = near.native_handle();
    // Linux keeps twice what it was asked for, for its own bookkeeping.
    CHECK(option_of(fd, SOL_SOCKET, SO_RCVBUF) == 40'000);
    CHECK(option_of(fd, SOL_SOCKET, SO_SNDBUF) == 60'000);
    CHECK(option_of(fd, IPPROTO_TCP, TCP_NODELAY) == 0);
    // Set before: a handshake with a buffer that small needs no window scaling.
    CHECK(window_scale(fd) == 0);
    tcp_stream plain = co_await tcp_stream::connect(listener.local_address());
    CHECK(window_scale(plain.native_handle()) != 0);
  });
}

TEST_CASE("C21 small messages go at once and nothing is kept alive unless that is asked for") {
  run_test([]() -> task<> {
    auto [near, far] = co_await make_streams();
    const std::array ends{&near, &far};
    for (tcp_stream* each : ends) {
      CHECK(each->nodelay());
      CHECK_FALSE(each->keepalive());
      CHECK(option_of(each->native_handle(), IPPROTO_TCP, TCP_NODELAY) != 0);
      CHECK(option_of(each->native_handle(), SOL_SOCKET, SO_KEEPALIVE) == 0);
    }
    near.set_nodelay(false);
    CHECK_FALSE(near.nodelay());
    CHECK(option_of(near.native_handle(), IPPROTO_TCP, TCP_NODELAY) == 0);
    near.set_keepalive({.idle_s = 30, .interval_s = 7, .probes = 3});
    CHECK(near.keepalive());
    CHECK(option_of(near.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE) == 30);
    CHECK(option_of(near.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL) == 7);
    CHECK(option_of(near.native_handle(), IPPROTO_TCP, TCP_KEEPCNT) == 3);
    near.set_keepalive({.enabled = false});
    CHECK_FALSE(near.keepalive());
  });
}
