// A thread for each connection and blocking sockets: the simplest server there is, and what
// coroutines are to be as easy to write as. Its system calls a request are two, as nobody asks first
// whether a socket is ready; its price is a stack a connection, and a switch of threads a request.
// The number of threads on the command line is ignored.

#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server_options options;

static bool send_all(int fd, const char* data, size_t size) {
  while (size != 0) {
    const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent < 0) return false;
    data += sent;
    size -= (size_t)sent;
  }
  return true;
}

static bool answer(int fd, unsigned char* matched, const char* data, size_t size) {
  size_t owed = response_bytes(count_requests(matched, data, size));
  while (owed != 0) {
    const struct slice part = next_response_bytes(owed);
    if (!send_all(fd, part.data, part.size)) return false;
    owed -= part.size;
  }
  return true;
}

static void* serve(void* argument) {
  const int fd = (int)(intptr_t)argument;
  char buffer[options.buffer];
  unsigned char matched = 0;
  for (bool alive = true; alive;) {
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size <= 0) break;
    alive = options.http ? answer(fd, &matched, buffer, (size_t)size)
                         : send_all(fd, buffer, (size_t)size);
  }
  close(fd);
  return NULL;
}

int main(int argc, char** argv) {
  options = parse_arguments(argc, argv);
  const int listener = listen_on(options.port, 0);
  announce(listener);
  const size_t stack = options.buffer + (size_t)PTHREAD_STACK_MIN + 16384;
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 && errno == ECONNABORTED) continue;
    if (fd < 0) die("accept4");
    start_thread(serve, (void*)(intptr_t)fd, stack);
  }
}
