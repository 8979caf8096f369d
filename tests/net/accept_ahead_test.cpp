#include "support/net_test.hpp"

#include <vector>

// Listeners whose backend may accept ahead of those who await, as io_uring does. What it has
// accepted is lost to nobody, and held by nobody once the listener is gone.

namespace {

using namespace cove::test;
using cove::task;
using cove::net::socket_address;
using cove::net::tcp_listener;
using cove::net::tcp_stream;

/// Each client has a byte of its own to say.
std::vector<raw_peer> connect_all(const socket_address& to, int count) {
  std::vector<raw_peer> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(raw_peer::connect(to));
    clients.back().send(std::string(1, static_cast<char>(i)));
  }
  return clients;
}

task<tcp_stream> accept_one(tcp_listener* listener) { co_return co_await listener->accept(); }

task<int> accept_and_read(tcp_listener* listener) {
  tcp_stream stream = co_await listener->accept();
  std::array<std::byte, 1> said;
  co_await stream.read_exact(said);
  co_return std::to_integer<int>(said[0]);
}

}  // namespace

TEST_CASE("L09 clients that came while nobody awaited are all accepted, each once") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    std::vector<raw_peer> first = connect_all(listener.local_address(), 1);
    co_await accept_and_read(&listener);
    // More than any backend keeps; then the rest is in the backlog.
    const int count = 100;
    std::vector<raw_peer> clients = connect_all(listener.local_address(), count);
    std::vector<int> seen(count);
    for (int i = 0; i < count; ++i) {
      const int who = co_await accept_and_read(&listener);
      ++seen[static_cast<std::size_t>(who)];
    }
    CHECK(seen == std::vector<int>(count, 1));
  });
}

TEST_CASE("L09 an accept that is canceled leaves the connection to the next one") {
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    for (int i = 0; i < 50; ++i) {
      auto waiting = cove::spawn(accept_one, &listener);
      if (i % 2 == 0) co_await until_waiting("accept");
      std::vector<raw_peer> client = connect_all(listener.local_address(), 1);
      waiting.cancel();
      const auto outcome = co_await waiting.as_result();
      if (outcome) continue;  // It came first.
      CHECK(outcome.error() == std::errc::operation_canceled);
      const int who = co_await accept_and_read(&listener);
      CHECK(who == 0);
    }
  });
}

TEST_CASE("L14 a listener that is destroyed leaves its address free at once") {
  run_test([]() -> task<> {
    socket_address at = "127.0.0.1:0";
    for (int i = 0; i < 20; ++i) {
      auto listener = tcp_listener::bind(at);
      at = listener.local_address();
      raw_peer client = raw_peer::connect(at);
      co_await listener.accept();
    }
  });
}

TEST_CASE("L14 L15 a listener outlives its runtime, and what it accepted is reset with it") {
  const same_descriptors check;
  std::vector<raw_peer> clients;
  socket_address at = "127.0.0.1:0";
  {
    auto listener = std::make_unique<tcp_listener>(tcp_listener::bind(at));
    at = listener->local_address();
    {
      cove::runtime in(net_options());
      const auto body = [](tcp_listener* from, std::vector<raw_peer>* peers) -> task<> {
        *peers = connect_all(from->local_address(), 1);
        co_await accept_and_read(from);
        *peers = connect_all(from->local_address(), 5);
      };
      in.block_on(body, listener.get(), &clients);
    }
  }
  const auto again = tcp_listener::bind(at);
  run_test([&clients]() -> task<> {
    for (raw_peer& client : clients) {
      const received end = co_await client.receive_all();
      CHECK(end.error == ECONNRESET);
    }
  });
}

TEST_CASE("K21 L13 many listeners are closed at once by several tasks") {
  run_test([]() -> task<> {
    const std::size_t before = open_descriptors();
    const auto open_and_close = [](int rounds) -> task<> {
      for (int i = 0; i < rounds; ++i) {
        auto listener = tcp_listener::bind("127.0.0.1:0");
        auto waiting = cove::spawn(accept_and_read, &listener);
        if (i % 3 != 0) co_await until_waiting("accept");
        const std::error_code closed = co_await listener.close();
        CHECK_FALSE(closed);
        const auto outcome = co_await waiting.as_result();
        CHECK(outcome.error() == cove::errc::closed);
      }
    };
    std::vector<cove::join_handle<void>> closers;
    for (int i = 0; i < 8; ++i) closers.push_back(cove::spawn(open_and_close, 20));
    for (auto& closer : closers) co_await closer;
    CHECK(open_descriptors() == before);
  });
}
