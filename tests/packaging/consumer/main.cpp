// What a user's first program does: one message goes over loopback and comes back.

#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <array>
#include <cstdio>
#include <string_view>

using cove::net::tcp_listener;
using cove::net::tcp_stream;

cove::task<> send_back(tcp_listener* listener) {
  tcp_stream peer = co_await listener->accept();
  std::array<std::byte, 64> buffer;
  while (std::size_t n = co_await peer.read_some(buffer))
    co_await peer.write_all(std::span(buffer).first(n));
}

cove::task<int> talk() {
  constexpr std::string_view message = "hello, cove";
  auto listener = tcp_listener::bind("127.0.0.1:0");
  auto answering = cove::spawn(send_back, &listener);

  tcp_stream stream = co_await tcp_stream::connect(listener.local_address());
  co_await stream.write_all(std::as_bytes(std::span(message)));
  std::array<char, message.size()> answer;
  co_await stream.read_exact(std::as_writable_bytes(std::span(answer)));
  stream.shutdown_write();
  co_await answering;

  const std::string_view text(answer.data(), answer.size());
  std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
  co_return text == message ? 0 : 1;
}

int main() { return cove::run(talk); }
