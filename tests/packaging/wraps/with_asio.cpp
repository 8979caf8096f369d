// A timer that fires.

#include <asio.hpp>

#include <chrono>
#include <cstdio>

int main() {
  asio::io_context context;
  asio::steady_timer timer(context, std::chrono::milliseconds(1));
  bool fired = false;
  timer.async_wait([&fired](std::error_code why) { fired = !why; });
  context.run();
  std::puts(fired ? "the timer fired" : "the timer was lost");
  return fired ? 0 : 1;
}
