// The mode `idle`: opens N connections, has one echo on each so that the server has really accepted
// and served it, prints `idle N`, and holds them until SIGTERM or the end of its input. Meanwhile
// a script reads what memory the server has.

#include "batch.hpp"
#include "client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

namespace load {

namespace {

// Waits for at most five seconds.
void need(int fd, short events, const char* what) {
  pollfd ready{fd, events, 0};
  if (poll(&ready, 1, 5000) != 1) throw failure(std::string(what) + ": nothing within 5 s");
}

void echo_once(int fd, batch& message, std::uint64_t serial) {
  need(fd, POLLOUT, "connect");
  const auto bytes = message.request(serial);
  if (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    fail("send");
  std::string reply(message.reply_size(), '\0');
  for (std::size_t got = 0; got < reply.size();) {
    need(fd, POLLIN, "echo");
    const ssize_t size = recv(fd, reply.data() + got, reply.size() - got, 0);
    if (size <= 0) fail("recv");
    got += static_cast<std::size_t>(size);
  }
  if (!message.is_right(serial, 0, reply)) throw failure("the echo differs");
}

void wait_for_end_of_input() {
  char ignored[256];
  while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
  }
}

}  // namespace

int run_idle(const options& wanted) {
  need_descriptors(wanted.connections);
  std::signal(SIGTERM, [](int) { _exit(0); });
  batch message(wanted);
  // One after the other: what is measured is what they cost at rest. The sockets end with us.
  for (std::size_t i = 0; i < wanted.connections; ++i)
    echo_once(start_connect(wanted.port), message, i);
  std::printf("idle %zu\n", wanted.connections);
  std::fflush(stdout);
  wait_for_end_of_input();
  return 0;
}

}  // namespace load
