#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESPONSE                 \
  "HTTP/1.1 200 OK\r\n"          \
  "Content-Length: 13\r\n"       \
  "Content-Type: text/plain\r\n" \
  "\r\n"                         \
  "Hello, World!"
#define RESPONSES_4 RESPONSE RESPONSE RESPONSE RESPONSE
#define RESPONSES_16 RESPONSES_4 RESPONSES_4 RESPONSES_4 RESPONSES_4

static const char responses[] = RESPONSES_16 RESPONSES_16 RESPONSES_16 RESPONSES_16;
enum { response_size = sizeof RESPONSE - 1, responses_size = sizeof responses - 1 };

_Noreturn void die(const char* what) {
  perror(what);
  exit(1);
}

static long number(const char* text, long least) {
  char* end;
  errno = 0;
  const long value = strtol(text, &end, 10);
  if (errno != 0 || *end != '\0' || value < least || value > 1 << 24) {
    fprintf(stderr, "\"%s\" is no number from %ld on\n", text, least);
    exit(2);
  }
  return value;
}

struct server_options parse_arguments(int argc, char** argv) {
  const bool complete = argc == 5;
  const bool http = complete && strcmp(argv[3], "http") == 0;
  if (!complete || (!http && strcmp(argv[3], "echo") != 0)) {
    fprintf(stderr, "usage: %s PORT THREADS echo|http BUFFER_BYTES\n", argv[0]);
    exit(2);
  }
  return (struct server_options){.port = (int)number(argv[1], 0),
                                 .threads = (int)number(argv[2], 1),
                                 .http = http,
                                 .buffer = (size_t)number(argv[4], 1)};
}

int listen_on(int port, int type) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type, 0);
  if (fd < 0) die("socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((unsigned short)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) < 0) die("bind");
  if (listen(fd, SOMAXCONN) < 0) die("listen");
  return fd;
}

static void end_now(int signal) {
  (void)signal;
  _exit(0);
}

void announce(int listener) {
  signal(SIGTERM, end_now);
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  if (getsockname(listener, (struct sockaddr*)&address, &size) < 0) die("getsockname");
  printf("ready port=%d\n", ntohs(address.sin_port));
  fflush(stdout);
}

void start_thread(void* (*run)(void*), void* argument, size_t stack) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (stack != 0) pthread_attr_setstacksize(&attributes, stack);
  pthread_t thread;
  errno = pthread_create(&thread, &attributes, run, argument);
  if (errno != 0) die("pthread_create");
  pthread_attr_destroy(&attributes);
}

size_t count_requests(unsigned char* matched, const char* data, size_t size) {
  static const char mark[4] = "\r\n\r\n";
  size_t requests = 0;
  for (const char *at = data, *end = data + size; at != end; ++at) {
    if (*matched == 0) {
      at = memchr(at, '\r', (size_t)(end - at));
      if (at == NULL) break;
    }
    *matched = *at == mark[*matched] ? *matched + 1 : *at == '\r';
    if (*matched == sizeof mark) {
      ++requests;
      *matched = 0;
    }
  }
  return requests;
}

size_t response_bytes(size_t responses_owed) { return responses_owed * response_size; }

struct slice next_response_bytes(size_t owed) {
  const size_t skip = (response_size - owed % response_size) % response_size;
  const size_t left = responses_size - skip;
  return (struct slice){responses + skip, owed < left ? owed : left};
}
