#include "support/stream_test.hpp"

// Sockets that come from outside, and go there.

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_listener;
using cove::net::tcp_stream;

}  // namespace

TEST_CASE("L23 a listener that was made elsewhere serves, and goes on when it is given back") {
  run_test([]() -> task<> {
    raw_listener made;
    const int fd = ::dup(made.fd());
    REQUIRE(::fcntl(fd, F_SETFL, 0) == 0);  // As an activator passes it.
    tcp_listener listener = tcp_listener::adopt(fd);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(listener.local_address() == made.address());
    raw_peer peer = raw_peer::connect(made.address());
    tcp_stream stream = co_await listener.accept();
    co_await check_link(stream, peer);
    const auto accept = [&]() -> task<std::error_code> {
      const auto said = co_await listener.accept().as_result();
      co_return said.error();
    };
    auto accepting = cove::spawn(accept);
    co_await until_waiting("accept");
    CHECK(mentions(refusal([&] { return listener.release(); }), "release: "));
    accepting.cancel();
    co_await accepting;
    const int out = listener.release();
    CHECK(listener.is_closed());
    CHECK((::fcntl(out, F_GETFL) & O_NONBLOCK) == 0);
    tcp_listener again = tcp_listener::adopt(out);
    raw_peer next = raw_peer::connect(made.address());
    tcp_stream later = co_await again.accept();
    co_await check_link(later, next);
  });
}

TEST_CASE("L23 a connection is released and adopted, and nothing of it is lost") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    for (int i = 0; i < 20; ++i) {
      co_await check_link(stream, peer);
      peer.send("kept");
      const int fd = stream.release();
      CHECK(stream.is_closed());
      CHECK(cove::runtime::current()->stats().descriptors == 0);
      CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
      std::array<std::byte, 4> buffer;
      const cove::io_result closed = co_await stream.read_some(buffer).as_result();
      CHECK(closed.error == cove::errc::closed);
      // Events of a descriptor that the poller had not forgotten would have to go somewhere.
      peer.send("+");
      stream = tcp_stream::adopt(fd);
      std::array<std::byte, 5> all;
      co_await stream.read_exact(all);
      CHECK(text_of(all) == "kept+");
    }
  });
}

TEST_CASE("L23 P04 a stream that is in use is not released") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 4> buffer;
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    CHECK(mentions(refusal([&] { return stream.release(); }), "cancel what uses it"));
    peer.send("ab");
    const cove::io_result got = co_await reading;
    CHECK(got.n == 2);
    co_await check_link(stream, peer);
  });
}

TEST_CASE("L23 what is no socket of the right kind is refused, by name, and stays the caller's") {
  run_test([]() -> task<> {
    const raw_listener listener;
    const raw_peer idle = raw_peer::make();
    const raw_peer connected = raw_peer::connect(listener.address());
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    const int datagrams = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(
        refusal([&] { return tcp_stream::adopt(listener.fd()); }) ==
        "adopt descriptor " + std::to_string(listener.fd()) +
            ": invalid argument (EINVAL); it is a TCP socket that listens; give a TCP socket that "
            "is connected");
    CHECK(mentions(refusal([&] { return tcp_stream::adopt(idle.fd()); }), "neither connected nor"));
    CHECK(mentions(refusal([&] { return tcp_listener::adopt(connected.fd()); }),
                   "a connected TCP socket"));
    CHECK(mentions(refusal([&] { return tcp_stream::adopt(pipe[0]); }), "it is a pipe or FIFO"));
    CHECK(mentions(refusal([&] { return tcp_listener::adopt(datagrams); }),
                   "a socket, but not of TCP"));
    CHECK(
        mentions(refusal([&] { return tcp_stream::adopt(12345); }), "descriptor 12345: bad file"));
    for (const int fd : pipe) CHECK(::close(fd) == 0);
    CHECK(::close(datagrams) == 0);
    co_return;
  });
}
