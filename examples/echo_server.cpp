// An echo server: what a client sends comes back. Try it in two terminals:
//
//     build/release/examples/echo_server --address 127.0.0.1:9000
//     socat - TCP:127.0.0.1:9000
//
// `--for 10s` makes it end by itself and print what its runtime has been doing.

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

cove::task<> serve(std::string address) {
  auto listener = cove::net::tcp_listener::bind(address);
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  co_await cove::net::serve(std::move(listener), session);
}
// readme]

#include "support/options.hpp"
#include "support/run_for.hpp"

cove::task<> serve_for(std::string address, std::chrono::nanoseconds limit) {
  co_await cove::examples::run_for(serve(address), limit);
}

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:9000";
  std::chrono::nanoseconds limit{0};
  cove::examples::options options("Sends back what clients send.");
  options.text("--address", address,
               "where to listen, as 127.0.0.1:9000 or [::1]:9000; port 0: any");
  options.duration("--for", limit, "end after this time (10s, 500ms, 2min); default: never");
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), serve_for, address, limit);
}
