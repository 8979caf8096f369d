// A million timers in a heap, made with random times and then all cancelled. The heap has four
// children a node, as a cache line holds them, and keeps the times beside the pointers so that
// comparing touches no timer.

#include "measure.h"
#include "micro.h"

#include <stdint.h>
#include <stdlib.h>

enum { timers_max = 1000000 };

struct timer {
  uint64_t when;
  long place;  // In the heap.
};

static struct entry {
  uint64_t when;
  struct timer* timer;
}* heap;
static long heap_size;
static struct timer* timers;

static void place(long at, struct entry entry) {
  heap[at] = entry;
  entry.timer->place = at;
}

static void sift_up(long at, struct entry entry) {
  for (long parent; at > 0 && entry.when < heap[parent = (at - 1) / 4].when; at = parent)
    place(at, heap[parent]);
  place(at, entry);
}

static void sift_down(long at, struct entry entry) {
  for (;;) {
    const long child = 4 * at + 1;
    const long end = child + 4 < heap_size ? child + 4 : heap_size;
    if (child >= heap_size) break;
    long least = child;
    for (long i = child + 1; i < end; ++i)
      if (heap[i].when < heap[least].when) least = i;
    if (entry.when <= heap[least].when) break;
    place(at, heap[least]);
    at = least;
  }
  place(at, entry);
}

static void insert(struct timer* timer) {
  sift_up(heap_size++, (struct entry){timer->when, timer});
}

static void cancel(struct timer* timer) {
  const long at = timer->place;
  const struct entry moved = heap[--heap_size];
  if (at == heap_size) return;
  if (at > 0 && moved.when < heap[(at - 1) / 4].when) {
    sift_up(at, moved);
  } else {
    sift_down(at, moved);
  }
}

void timer_create_cancel(long operations) {
  if (operations > timers_max) abort();
  if (heap == NULL) {
    heap = malloc(timers_max * sizeof *heap);
    timers = malloc(timers_max * sizeof *timers);
    if (heap == NULL || timers == NULL) die("malloc");
  }
  uint64_t random = 88172645463325252u;
  for (long i = 0; i < operations; ++i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    timers[i].when = random;
    insert(&timers[i]);
  }
  for (long i = 0; i < operations; ++i) cancel(&timers[i]);
}
