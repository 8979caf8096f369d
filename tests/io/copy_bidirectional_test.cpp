#include <cove/io/copy_bidirectional.hpp>

#include "support/stream_test.hpp"

#include <cove/io/duplex.hpp>
#include <cove/io/read_to_end.hpp>

#include <memory>

namespace {

using namespace cove::test;
using cove::task;
using cove::io::copy_bidirectional;
using cove::io::relayed;
using cove::net::tcp_stream;

/// client <-> (a -> b) <-> server
struct proxied {
  explicit proxied(stream_pair one, stream_pair two)
      : client(std::move(one.near)),
        a(std::move(one.far)),
        b(std::move(two.near)),
        server(std::move(two.far)) {}
  tcp_stream client;
  tcp_stream a;
  tcp_stream b;
  tcp_stream server;
};

task<std::unique_ptr<proxied>> make_proxied() {
  stream_pair one = co_await make_streams();
  stream_pair two = co_await make_streams();
  co_return std::make_unique<proxied>(std::move(one), std::move(two));
}

task<relayed> relay(proxied* through) {
  co_return co_await copy_bidirectional(through->a, through->b).as_result();
}

task<relayed> relay_or_throw(proxied* through) {
  co_return co_await copy_bidirectional(through->a, through->b);
}

task<relayed> relay_memory(cove::io::duplex_stream* a, cove::io::duplex_stream* b) {
  co_return co_await copy_bidirectional(*a, *b);
}

task<> send(tcp_stream* to, std::string text) {
  co_await to->write_all(bytes_of(text));
  to->shutdown_write();
}

task<std::string> receive(tcp_stream* from, std::size_t count) {
  std::string text(count, '\0');
  co_await from->read_exact(std::as_writable_bytes(std::span(text)));
  co_return text;
}

TEST_CASE("S24 the end of one direction is passed on, and the other one goes on") {
  run_test([]() -> task<> {
    auto all = co_await make_proxied();
    auto relaying = cove::spawn(relay, all.get());
    co_await send(&all->client, "question");
    const std::string asked = co_await cove::io::read_to_end(all->server, 100);
    CHECK(asked == "question");
    CHECK(!relaying.done());
    co_await send(&all->server, "a long answer");
    const std::string answered = co_await cove::io::read_to_end(all->client, 100);
    CHECK(answered == "a long answer");
    const relayed ended = co_await relaying;
    CHECK(!ended.error);
    CHECK(ended.a_to_b == 8);
    CHECK(ended.b_to_a == 13);
  });
}

TEST_CASE("S24 a direction that is blocked does not stop the other one") {
  run_test([]() -> task<> {
    auto all = co_await make_proxied();
    all->b.set_send_buffer(65'536);
    all->server.set_receive_buffer(65'536);
    auto relaying = cove::spawn(relay, all.get());
    // Nobody reads it at the server until the answer is through.
    const std::string large = pattern(3'000'000);
    auto flooding = cove::spawn(send, &all->client, large);
    const std::string answer = pattern(1'000'000, 7);
    auto answering = cove::spawn(send, &all->server, answer);
    const std::string answered = co_await cove::io::read_to_end(all->client, answer.size());
    CHECK(answered == answer);
    const std::string arrived = co_await cove::io::read_to_end(all->server, large.size());
    CHECK(arrived == large);
    const relayed ended = co_await relaying;
    CHECK(!ended.error);
    CHECK(ended.a_to_b == large.size());
    CHECK(ended.b_to_a == answer.size());
    co_await flooding;
    co_await answering;
  });
}

TEST_CASE("S24 an error of one side ends both directions") {
  run_test([]() -> task<> {
    auto all = co_await make_proxied();
    auto relaying = cove::spawn(relay, all.get());
    co_await all->client.write_all(bytes_of("hello"));
    const std::string got = co_await receive(&all->server, 5);
    CHECK(got == "hello");
    all->server.abort();
    const relayed ended = co_await relaying;
    CHECK(ended.error == std::errc::connection_reset);
    CHECK(ended.a_to_b == 5);
    CHECK(ended.b_to_a == 0);
  });
}

TEST_CASE("S24 a relay that is cancelled ends both directions, and says how much went") {
  run_test([]() -> task<> {
    auto all = co_await make_proxied();
    auto relaying = cove::spawn(relay_or_throw, all.get());
    co_await all->client.write_all(bytes_of("hello"));
    const std::string got = co_await receive(&all->server, 5);
    CHECK(got == "hello");
    relaying.cancel();
    std::size_t moved = 0;
    try {
      co_await relaying;
    } catch (const cove::canceled& e) {
      moved = e.transferred();
    }
    CHECK(moved == 5);
    CHECK(!all->a.is_closed());
  });
}

TEST_CASE("S24 streams in memory are relayed as well") {
  run_test([]() -> task<> {
    auto one = cove::io::duplex(5);
    auto two = cove::io::duplex(3);
    auto relaying = cove::spawn(relay_memory, &one.far, &two.near);
    co_await one.near.write_all(bytes_of("there"));
    one.near.shutdown_write();
    const std::string there = co_await cove::io::read_to_end(two.far, 10);
    CHECK(there == "there");
    co_await two.far.write_all(bytes_of("back"));
    two.far.shutdown_write();
    const std::string back = co_await cove::io::read_to_end(one.near, 10);
    CHECK(back == "back");
    const relayed ended = co_await relaying;
    CHECK(ended.a_to_b == 5);
    CHECK(ended.b_to_a == 4);
  });
}

}  // namespace
