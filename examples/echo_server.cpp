// An echo server: what a client sends comes back. Try it in two terminals:
//
//     build/release/examples/echo_server --address 127.0.0.1:9000
//     socat - TCP:127.0.0.1:9000
//
// Ctrl-C ends it gracefully (support/ending.hpp), `--for 10s` after that time. At its end it prints
// what its runtime has been doing.

// [readme
#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <array>
#include <cstdio>

cove::task<> session(cove::net::tcp_stream peer) {
  std::array<std::byte, 4096> buffer;
  while (std::size_t n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
}

cove::task<> serve(cove::net::tcp_listener& listener) {
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  co_await cove::net::serve(listener, session);  // Until it is closed and all sessions have ended.
}
// readme]

#include "support/ending.hpp"

cove::task<> run_server(std::string address, cove::examples::ending how) {
  auto listener = cove::net::tcp_listener::bind(address);
  co_await cove::examples::serve_gracefully(listener, serve(listener), how);
}

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:9000";
  cove::examples::ending how;
  cove::examples::options options("Sends back what clients send.");
  options.text("--address", address,
               "where to listen, as 127.0.0.1:9000 or [::1]:9000; port 0: any");
  how.add_to(options);
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), run_server, address, how);
}
