// Tasks as function pointers in a plain queue, and what they do to each other, all on one thread.

#include "measure.h"
#include "micro.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct task {
  void (*run)(struct task*);
  struct task* next;
  long* value;
  bool done;
  char frame[32];  // Makes it a cache line, as little as a coroutine can do with.
};

static struct task *first, **last = &first;

static void push(struct task* task) {
  task->next = NULL;
  *last = task;
  last = &task->next;
}

static void run_queue(void) {
  while (first != NULL) {
    struct task* task = first;
    first = task->next;
    if (first == NULL) last = &first;
    task->run(task);
  }
}

static long counter;

static void count_and_end(struct task* task) {
  ++*task->value;
  task->done = true;
}

static struct task* spawn(void (*run)(struct task*)) {
  struct task* task = malloc(sizeof *task);
  if (task == NULL) die("malloc");
  *task = (struct task){.run = run, .value = &counter};
  push(task);
  return task;
}

void spawn_join_each(long operations) {
  for (long i = 0; i < operations; ++i) {
    struct task* task = spawn(count_and_end);
    while (!task->done) run_queue();
    free(task);
  }
}

static void end_and_free(struct task* task) {
  ++*task->value;
  free(task);
}

void spawn_join_many(long operations) {
  for (long i = 0; i < operations; ++i) spawn(end_and_free);
  run_queue();
}

static long turns_left;

static void yield(struct task* task) {
  ++*task->value;
  if (--turns_left > 0) push(task);
}

void yield_1000(long operations) {
  static struct task tasks[1000];
  turns_left = operations;
  for (int i = 0; i < 1000; ++i) {
    tasks[i] = (struct task){.run = yield, .value = &counter};
    push(&tasks[i]);
  }
  run_queue();
}

static struct task left, right;
static struct task* next_task;  // Who is handed something runs next, and passes by the queue.
static long handed;

// Takes what the other side handed over, and hands it back: half a round trip.
static void ping(struct task* task) {
  *task->value = handed;
  handed = *task->value + 1;
  next_task = task == &left ? &right : &left;
}

void chan0_pingpong(long operations) {
  left = (struct task){.run = ping, .value = &counter};
  right = left;
  next_task = &left;
  for (long i = 0; i < 2 * operations; ++i) next_task->run(next_task);
}

enum { channel_size = 100 };
static long channel[channel_size];
static int items;

static void produce(struct task* task) {
  for (items = 0; items < channel_size; ++items) channel[items] = turns_left--;
  if (turns_left > 0) push(&right);
  (void)task;
}

static void consume(struct task* task) {
  for (int i = 0; i < items; ++i) *task->value += channel[i];
  push(&left);
}

void chan100_stream(long operations) {
  turns_left = operations;
  left = (struct task){.run = produce};
  right = (struct task){.run = consume, .value = &counter};
  push(&left);
  run_queue();
}

static atomic_int lock;

static void lock_and_count(struct task* task) {
  for (int i = 0; i < 100; ++i) {
    int free_lock = 0;
    if (!atomic_compare_exchange_strong(&lock, &free_lock, 1)) abort();
    ++*task->value;
    if (atomic_exchange(&lock, 0) != 1) abort();
  }
  if ((turns_left -= 100) > 0) push(task);
}

void mutex_100(long operations) {
  static struct task tasks[100];
  turns_left = operations;
  for (int i = 0; i < 100; ++i) {
    tasks[i] = (struct task){.run = lock_and_count, .value = &counter};
    push(&tasks[i]);
  }
  run_queue();
}

static atomic_long word;

void compare_and_swap(long operations) {
  long value = atomic_load_explicit(&word, memory_order_relaxed);
  for (long i = 0; i < operations; ++i) {
    if (!atomic_compare_exchange_strong(&word, &value, value + 1)) abort();
    ++value;
  }
}

void fetch_add(long operations) {
  for (long i = 0; i < operations; ++i) atomic_fetch_add(&word, 1);
}
