// An HTTP/1.1 server that says hello, with http-parser reading the requests. It shows how a parser
// with callbacks fits into a coroutine: it is fed what receive() lends, and its answers are written
// when it has eaten all of that, so pipelined requests are answered together. Try it:
//
//     build/release/examples/http_hello --address 127.0.0.1:8080
//     curl -i http://127.0.0.1:8080/
//     wrk -c 64 -t 1 http://127.0.0.1:8080/

#include "support/ending.hpp"
#include "support/http_exchange.hpp"

#include <cove/net.hpp>

#include <cstdio>

using namespace std::chrono_literals;

/// Closing with bytes unread would reset the connection, and the last answer might get lost.
cove::task<> read_to_end(cove::net::tcp_stream& peer) {
  peer.shutdown_write();
  for (bool more = true; more;) {
    const auto received = co_await peer.receive();
    more = !received.empty();
  }
}

cove::task<> session(cove::net::tcp_stream peer) {
  cove::examples::http_exchange talk;
  while (!talk.last()) {
    // The lease ends before the answers are written: who waits for a slow reader holds no buffer.
    // Browsers and load generators leave as they like, so their going is no failure.
    if (const auto received = co_await peer.receive().as_result(); received && !received->empty())
      talk.feed(received->bytes());
    else
      co_return;
    if (const auto moved = co_await peer.write_all(cove::io::bytes_of(talk.answers())).as_result();
        !moved)
      co_return;
    talk.answers().clear();
  }
  (void)co_await cove::with_timeout(read_to_end(peer), 2s).as_result();
}

cove::task<> serve(cove::net::tcp_listener& listener) {
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  co_await cove::net::serve(listener, session);
}

cove::task<> run_server(std::string address, cove::examples::ending how) {
  auto listener = cove::net::tcp_listener::bind(address);
  co_await cove::examples::serve_gracefully(listener, serve(listener), how);
}

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:8080";
  cove::examples::ending how;
  cove::examples::options options("Says hello over HTTP/1.1.");
  options.text("--address", address,
               "where to listen, as 127.0.0.1:8080 or [::1]:8080; port 0: any");
  how.add_to(options);
  if (auto code = options.parse(argc, argv)) return *code;
  cove::examples::http_exchange::limit_heads(16 * 1024);
  return cove::run_with(options.runtime(), run_server, address, how);
}
