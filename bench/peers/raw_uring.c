// The floor of io_uring: the same server as raw_epoll, with few system calls instead of few
// instructions. One io_uring_enter() hands in what the last batch of completions asked for, and
// waits for the next batch.
//
//  - A connection has one multishot receive. The kernel puts what comes into a buffer of the
//    thread's ring of buffers, so an idle connection has none. An echo is sent from that very
//    buffer, which then goes back to the ring.
//  - More may come while a send is under way, and two sends at once could pass each other. So
//    buffers to be echoed form a queue, a connection sends the first, and MSG_WAITALL lets the
//    kernel go on after a partial send.
//  - If all buffers are in queues, receives end with ENOBUFS and their connections wait in line for
//    the next one. A client that sends and never reads can so hold up the others: this is a floor
//    for benchmarks, whose clients read.
//  - With several threads the first one accepts, and deals connections out in turn by a message
//    from ring to ring (raw_epoll.c says why).
//
// Needs Linux 6.0; ends with status 77 and one line where the kernel refuses.

#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { entries = 1024, buffer_count = 128, buffer_group = 1, status_skipped = 77 };

struct connection {
  int fd;
  unsigned char matched;            // HTTP: see count_requests().
  bool receiving;                   // A receive is armed, or waits for a buffer.
  bool sending;                     // One send is under way.
  bool over;                        // Nothing more will come, or nothing more can be sent.
  short first, last;                // Echo: the queue of buffers, -1 where it is empty.
  unsigned sent;                    // Echo: bytes of the first that are sent.
  size_t owed;                      // HTTP: bytes of responses still to be sent.
  struct connection* next_starved;  // Waits for a buffer after this one.
};

struct loop {
  struct io_uring ring;
  struct io_uring_buf_ring* free_buffers;
  char* buffers;
  unsigned size_of[buffer_count];
  short next_of[buffer_count];
  int held;  // Buffers that are not in the ring, as far as completions said.
  struct connection *first_starved, **last_starved;  // Connections that wait for a buffer.
};

// What a completion is about stands in the low bits of its user data, beside the connection.
enum { about_receive, about_send, about_accept, about_new, about_nobody, about_mask = 7 };

static struct server_options options;
static struct loop* loops;
static int listener;
static pthread_barrier_t all_rings_exist;

static struct io_uring_sqe* next_entry(struct loop* loop) {
  struct io_uring_sqe* entry = io_uring_get_sqe(&loop->ring);
  while (entry == NULL) {  // The queue is full.
    io_uring_submit(&loop->ring);
    entry = io_uring_get_sqe(&loop->ring);
  }
  return entry;
}

static void start_receive(struct loop* loop, struct connection* c) {
  struct io_uring_sqe* entry = next_entry(loop);
  io_uring_prep_recv_multishot(entry, c->fd, NULL, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = buffer_group;
  io_uring_sqe_set_data64(entry, (uintptr_t)c | about_receive);
  c->receiving = true;
}

static void let_next_receive(struct loop* loop) {
  struct connection* c = loop->first_starved;
  if (c == NULL) return;
  loop->first_starved = c->next_starved;
  if (loop->first_starved == NULL) loop->last_starved = &loop->first_starved;
  start_receive(loop, c);
}

static void put_into_ring(struct loop* loop, short buffer) {
  io_uring_buf_ring_add(loop->free_buffers, loop->buffers + (size_t)buffer * options.buffer,
                        (unsigned)options.buffer, (unsigned short)buffer,
                        io_uring_buf_ring_mask(buffer_count), 0);
  io_uring_buf_ring_advance(loop->free_buffers, 1);
}

static void give_back(struct loop* loop, short buffer) {
  put_into_ring(loop, buffer);
  --loop->held;
  let_next_receive(loop);
}

// There was no buffer when the kernel looked. If there is one by now, nobody may be left who would
// give one back and remember this connection.
static void receive_later(struct loop* loop, struct connection* c) {
  if (loop->held < buffer_count) {
    start_receive(loop, c);
    return;
  }
  c->receiving = true;
  c->next_starved = NULL;
  *loop->last_starved = c;
  loop->last_starved = &c->next_starved;
}

// ---- one connection --------------------------------------------------------------------------

static bool has_to_send(const struct connection* c) { return c->first >= 0 || c->owed != 0; }

static void start_send(struct loop* loop, struct connection* c) {
  struct slice part = next_response_bytes(c->owed);
  if (!options.http) {
    part.data = loop->buffers + (size_t)c->first * options.buffer + c->sent;
    part.size = loop->size_of[c->first] - c->sent;
  }
  struct io_uring_sqe* entry = next_entry(loop);
  io_uring_prep_send(entry, c->fd, part.data, part.size, MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data64(entry, (uintptr_t)c | about_send);
  c->sending = true;
}

static void drop_first(struct loop* loop, struct connection* c) {
  const short buffer = c->first;
  c->first = loop->next_of[buffer];
  c->sent = 0;
  give_back(loop, buffer);
}

static void close_if_over(struct loop* loop, struct connection* c) {
  if (!c->over || c->receiving || c->sending || has_to_send(c)) return;
  struct io_uring_sqe* entry = next_entry(loop);
  io_uring_prep_close(entry, c->fd);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(entry, about_nobody);
  free(c);
}

// The bytes that cannot be sent are forgotten, and the receive is taken back. shutdown() would not
// do: a receive that has met a short read before it waits for an event that was already there.
static void give_up(struct loop* loop, struct connection* c) {
  c->over = true;
  c->owed = 0;
  while (c->first >= 0) drop_first(loop, c);
  if (!c->receiving) return;
  struct io_uring_sqe* entry = next_entry(loop);
  io_uring_prep_cancel64(entry, (uintptr_t)c | about_receive, 0);
  io_uring_sqe_set_data64(entry, about_nobody);
}

static void enqueue(struct loop* loop, struct connection* c, short buffer, unsigned size) {
  loop->size_of[buffer] = size;
  loop->next_of[buffer] = -1;
  if (c->first < 0) {
    c->first = buffer;
  } else {
    loop->next_of[c->last] = buffer;
  }
  c->last = buffer;
}

// Bytes for a connection that is given up are dropped with their buffer.
static void take(struct loop* loop, struct connection* c, short buffer, unsigned size) {
  ++loop->held;
  if (!options.http && !c->over) {
    enqueue(loop, c, buffer, size);
    return;
  }
  const char* data = loop->buffers + (size_t)buffer * options.buffer;
  if (!c->over) c->owed += response_bytes(count_requests(&c->matched, data, size));
  give_back(loop, buffer);
}

static void received(struct loop* loop, struct connection* c, const struct io_uring_cqe* cqe) {
  c->receiving = (cqe->flags & IORING_CQE_F_MORE) != 0;
  if (cqe->res > 0) {
    take(loop, c, (short)(cqe->flags >> IORING_CQE_BUFFER_SHIFT), (unsigned)cqe->res);
  } else if (cqe->res == -ENOBUFS && !c->over) {
    receive_later(loop, c);
    return;
  } else {
    // Its turn to receive took no buffer, so the next in line may have it.
    let_next_receive(loop);
  }
  if (cqe->res <= 0) c->over = true;
  if (!c->sending && has_to_send(c)) start_send(loop, c);
  if (!c->receiving && !c->over) start_receive(loop, c);
  close_if_over(loop, c);
}

static void sent(struct loop* loop, struct connection* c, int result) {
  c->sending = false;
  if (result <= 0) {
    give_up(loop, c);
  } else if (options.http) {
    c->owed -= (size_t)result;
  } else {
    c->sent += (unsigned)result;
    if (c->sent == loop->size_of[c->first]) drop_first(loop, c);
  }
  if (has_to_send(c)) start_send(loop, c);
  close_if_over(loop, c);
}

// ---- new connections -------------------------------------------------------------------------

static void start_accept(struct loop* loop) {
  struct io_uring_sqe* entry = next_entry(loop);
  io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(entry, about_accept);
}

static void begin(struct loop* loop, int fd) {
  struct connection* c = calloc(1, sizeof *c);
  if (c == NULL) die("calloc");
  c->fd = fd;
  c->first = -1;
  start_receive(loop, c);
}

static void accepted(struct loop* loop, const struct io_uring_cqe* cqe) {
  static int turn;
  if (cqe->res >= 0) {
    struct loop* owner = &loops[turn];
    turn = (turn + 1) % options.threads;
    if (owner == loop) {
      begin(loop, cqe->res);
    } else {
      struct io_uring_sqe* entry = next_entry(loop);
      io_uring_prep_msg_ring(entry, owner->ring.ring_fd, (unsigned)cqe->res, about_new, 0);
      entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
      io_uring_sqe_set_data64(entry, about_nobody);
    }
  } else if (cqe->res != -ECONNABORTED) {
    errno = -cqe->res;
    die("accept");
  }
  if ((cqe->flags & IORING_CQE_F_MORE) == 0) start_accept(loop);
}

// ---- a thread --------------------------------------------------------------------------------

_Noreturn static void refuse(const char* what, int error) {
  printf("raw_uring: %s: %s; skipped\n", what, strerror(error));
  exit(status_skipped);
}

// Completions are run where this thread asks for them, rather than by interrupting it; older
// kernels know only the weaker of the two flags.
static void create_ring(struct loop* loop) {
  int error = io_uring_queue_init(entries, &loop->ring,
                                  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (error == -EINVAL) {
    error = io_uring_queue_init(entries, &loop->ring, IORING_SETUP_COOP_TASKRUN);
  }
  if (error < 0) refuse("io_uring_setup", -error);

  const size_t ring_bytes = buffer_count * sizeof(struct io_uring_buf);
  loop->free_buffers = aligned_alloc(4096, (ring_bytes + 4095) / 4096 * 4096);
  loop->buffers = malloc(buffer_count * options.buffer);
  if (loop->free_buffers == NULL || loop->buffers == NULL) die("malloc");
  struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)loop->free_buffers,
                                          .ring_entries = buffer_count,
                                          .bgid = buffer_group};
  io_uring_buf_ring_init(loop->free_buffers);
  error = io_uring_register_buf_ring(&loop->ring, &registration, 0);
  if (error < 0) refuse("io_uring_register", -error);
  loop->last_starved = &loop->first_starved;
  for (short i = 0; i < buffer_count; ++i) put_into_ring(loop, i);
}

static void complete(struct loop* loop, const struct io_uring_cqe* cqe) {
  struct connection* c = (struct connection*)(uintptr_t)(cqe->user_data & ~(uint64_t)about_mask);
  switch (cqe->user_data & about_mask) {
    case about_receive: received(loop, c, cqe); break;
    case about_send: sent(loop, c, cqe->res); break;
    case about_accept: accepted(loop, cqe); break;
    case about_new: begin(loop, cqe->res); break;
    case about_nobody: break;  // A close, a cancel or a message that failed, as its object is gone.
  }
}

static void* run(void* argument) {
  struct loop* loop = argument;
  create_ring(loop);  // Here, as a ring belongs to the thread that made it.
  pthread_barrier_wait(&all_rings_exist);
  if (loop == &loops[0]) {
    start_accept(loop);
    announce(listener);
  }
  for (;;) {
    const int error = io_uring_submit_and_wait(&loop->ring, 1);
    if (error < 0 && error != -EINTR) refuse("io_uring_enter", -error);
    struct io_uring_cqe* cqe;
    unsigned head;
    unsigned count = 0;
    io_uring_for_each_cqe(&loop->ring, head, cqe) {
      complete(loop, cqe);
      ++count;
    }
    io_uring_cq_advance(&loop->ring, count);
  }
  return NULL;
}

int main(int argc, char** argv) {
  options = parse_arguments(argc, argv);
  listener = listen_on(options.port, 0);
  loops = calloc((size_t)options.threads, sizeof *loops);
  if (loops == NULL) die("calloc");
  pthread_barrier_init(&all_rings_exist, NULL, (unsigned)options.threads);
  for (int i = 1; i < options.threads; ++i) start_thread(run, &loops[i], 0);
  run(&loops[0]);
}
