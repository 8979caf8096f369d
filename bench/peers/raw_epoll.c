// The floor: what an epoll server costs at least. Every other peer is shown as a ratio to this one.
//
// A request is recv() and send(), and a share of one epoll_wait(). Nothing else is on the path:
//  - Each thread has one buffer for all its connections, so it stays in the first level cache. Only
//    what a socket did not take is copied, to the heap, and such a connection is not read from until
//    that is sent. An idle connection thus costs one small struct.
//  - Sockets are edge-triggered and asked for everything once, so a connection costs one epoll_ctl().
//    A read that does not fill the buffer has emptied the socket; the read that would say so with
//    EAGAIN is left out. The buffer has a spare byte, so that this holds for messages of its size.
//  - With several threads the first one accepts and deals connections out in turn; adding to another
//    thread's epoll set needs no wake-up. Listeners with SO_REUSEPORT would spare it that, but they
//    deal by hash: of 64 connections one of two threads gets 36 or more every third time, and the
//    spread rather than the server would be measured.

#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
  int fd;
  unsigned char matched;  // HTTP: see count_requests().
  size_t owed;            // HTTP: bytes of responses still to be sent.
  char* rest;             // Echo: bytes still to be sent, or null.
  size_t rest_size;
};

struct loop {
  int epoll;
  size_t read_size;
  char* buffer;
};

enum progress { drained, blocked, ended };

static struct server_options options;
static struct loop* loops;
static int listener;

// Sends until all is sent or the socket is full, and moves `from` on by what was sent.
static enum progress send_slice(int fd, struct slice* from) {
  while (from->size != 0) {
    const ssize_t sent = send(fd, from->data, from->size, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? blocked : ended;
    from->data += sent;
    from->size -= (size_t)sent;
  }
  return drained;
}

static enum progress send_owed(struct connection* c) {
  enum progress progress = drained;
  while (c->owed != 0 && progress == drained) {
    struct slice part = next_response_bytes(c->owed);
    const size_t before = part.size;
    progress = send_slice(c->fd, &part);
    c->owed -= before - part.size;
  }
  return progress;
}

static enum progress send_rest(struct connection* c) {
  if (c->rest == NULL) return drained;
  struct slice part = {c->rest, c->rest_size};
  const enum progress progress = send_slice(c->fd, &part);
  memmove(c->rest, part.data, part.size);
  c->rest_size = part.size;
  if (progress == drained) {
    free(c->rest);
    c->rest = NULL;
  }
  return progress;
}

static enum progress echo(struct connection* c, const char* data, size_t size) {
  struct slice part = {data, size};
  const enum progress progress = send_slice(c->fd, &part);
  if (progress == blocked) {
    c->rest = malloc(part.size);
    if (c->rest == NULL) return ended;
    memcpy(c->rest, part.data, part.size);
    c->rest_size = part.size;
  }
  return progress;
}

static enum progress answer(struct connection* c, const char* data, size_t size) {
  c->owed += response_bytes(count_requests(&c->matched, data, size));
  return send_owed(c);
}

// `hung_up`: the event said that the peer will send no more, so the end is still to be read.
static enum progress serve(struct loop* loop, struct connection* c, bool hung_up) {
  enum progress progress = options.http ? send_owed(c) : send_rest(c);
  while (progress == drained) {
    const ssize_t size = recv(c->fd, loop->buffer, loop->read_size, 0);
    if (size < 0 && errno == EAGAIN) return drained;
    if (size <= 0) return ended;
    progress =
        options.http ? answer(c, loop->buffer, (size_t)size) : echo(c, loop->buffer, (size_t)size);
    if (progress == drained && (size_t)size < loop->read_size && !hung_up) return drained;
  }
  return progress;
}

static void accept_all(void) {
  static int turn;
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == ECONNABORTED) continue;
    if (fd < 0 && errno != EAGAIN) die("accept4");
    if (fd < 0) return;
    struct connection* c = calloc(1, sizeof *c);
    if (c == NULL) die("calloc");
    c->fd = fd;
    struct epoll_event interest = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                   .data.ptr = c};
    if (epoll_ctl(loops[turn].epoll, EPOLL_CTL_ADD, fd, &interest) < 0) die("epoll_ctl");
    turn = (turn + 1) % options.threads;
  }
}

static void* run(void* argument) {
  struct loop* loop = argument;
  struct epoll_event events[256];
  for (;;) {
    const int count = epoll_wait(loop->epoll, events, sizeof events / sizeof *events, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; ++i) {
      struct connection* c = events[i].data.ptr;
      if (c == NULL) {
        accept_all();
        continue;
      }
      const bool hung_up = (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
      if (serve(loop, c, hung_up) == ended) {
        close(c->fd);
        free(c->rest);
        free(c);
      }
    }
  }
  return NULL;
}

int main(int argc, char** argv) {
  options = parse_arguments(argc, argv);
  listener = listen_on(options.port, SOCK_NONBLOCK);
  loops = calloc((size_t)options.threads, sizeof *loops);
  if (loops == NULL) die("calloc");
  for (int i = 0; i < options.threads; ++i) {
    loops[i].epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loops[i].epoll < 0) die("epoll_create1");
    loops[i].read_size = options.buffer + 1;
    loops[i].buffer = malloc(loops[i].read_size);
    if (loops[i].buffer == NULL) die("malloc");
  }
  // The listener is known by having no connection.
  struct epoll_event interest = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
  if (epoll_ctl(loops[0].epoll, EPOLL_CTL_ADD, listener, &interest) < 0) die("epoll_ctl");
  announce(listener);
  for (int i = 1; i < options.threads; ++i) start_thread(run, &loops[i], 0);
  run(&loops[0]);
}
