// What a scheduler's operations cost at least: the same work as function pointers in plain queues,
// without coroutines, without cancelling, and without another thread that could want a part. A
// goal in nanoseconds is scaled by these figures, which say how fast the machine is today.
//
//     raw_micro [FILE]    prints `name value` lines in ns, the median of several repetitions
//
// The names are those of the programs it is compared to, without their suffix for the workers.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { repetitions = 7, million = 1000000, samples_max = 1000 };

static FILE* output;

_Noreturn static void die(const char* what) {
  perror(what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int ascending(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return (x > y) - (x < y);
}

static void print(const char* name, double value) {
  fprintf(output, "%s %.2f\n", name, value);
  fflush(output);
}

// `run` does the operation as often as it is told.
static void measure(const char* name, long operations, void (*run)(long)) {
  double results[repetitions];
  run(operations / 10);
  for (int i = 0; i < repetitions; ++i) {
    const int64_t start = now_ns();
    run(operations);
    results[i] = (double)(now_ns() - start) / (double)operations;
  }
  qsort(results, repetitions, sizeof *results, ascending);
  print(name, results[repetitions / 2]);
}

// `sample` gives one latency. It is the distribution that counts.
static void measure_latency(const char* name, int samples, double (*sample)(void)) {
  double results[samples_max];
  char line[64];
  for (int i = 0; i < samples; ++i) results[i] = sample();
  qsort(results, (size_t)samples, sizeof *results, ascending);
  snprintf(line, sizeof line, "%s_p50", name);
  print(line, results[samples / 2]);
  snprintf(line, sizeof line, "%s_p99", name);
  print(line, results[samples * 99 / 100]);
}

// ---- tasks: a function pointer in a queue ----------------------------------------------------

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

static void spawn_join_each(long operations) {
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

static void spawn_join_many(long operations) {
  for (long i = 0; i < operations; ++i) spawn(end_and_free);
  run_queue();
}

static long turns_left;

static void yield(struct task* task) {
  ++*task->value;
  if (--turns_left > 0) push(task);
}

static void yield_1000(long operations) {
  static struct task tasks[1000];
  turns_left = operations;
  for (int i = 0; i < 1000; ++i) {
    tasks[i] = (struct task){.run = yield, .value = &counter};
    push(&tasks[i]);
  }
  run_queue();
}

// ---- channels and a mutex, for one thread ----------------------------------------------------

static struct task left, right;
static struct task* next_task;  // Who is handed something runs next, and passes by the queue.
static long handed;

// Takes what the other side handed over, and hands it back: half a round trip.
static void ping(struct task* task) {
  *task->value = handed;
  handed = *task->value + 1;
  next_task = task == &left ? &right : &left;
}

static void chan0_pingpong(long operations) {
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

static void chan100_stream(long operations) {
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

static void mutex_100(long operations) {
  static struct task tasks[100];
  turns_left = operations;
  for (int i = 0; i < 100; ++i) {
    tasks[i] = (struct task){.run = lock_and_count, .value = &counter};
    push(&tasks[i]);
  }
  run_queue();
}

static atomic_long word;

static void compare_and_swap(long operations) {
  long value = atomic_load_explicit(&word, memory_order_relaxed);
  for (long i = 0; i < operations; ++i) {
    if (!atomic_compare_exchange_strong(&word, &value, value + 1)) abort();
    ++value;
  }
}

static void fetch_add(long operations) {
  for (long i = 0; i < operations; ++i) atomic_fetch_add(&word, 1);
}

// ---- a million timers in a heap --------------------------------------------------------------

struct timer {
  uint64_t when;
  long place;  // In the heap.
};

// The heap has four children a node, as a cache line holds them, and keeps the times beside the
// pointers so that comparing touches no timer.
static struct entry {
  uint64_t when;
  struct timer* timer;
}* heap;
static long heap_size;

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

static struct timer* timers;

static void timer_create_cancel(long operations) {
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

// ---- sleeping and waking ---------------------------------------------------------------------

static double sleep_1ms_late(void) {
  static int epoll = -1;
  static int timer;
  if (epoll < 0) {
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct epoll_event interest = {.events = EPOLLIN};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &interest) < 0) die("epoll_ctl");
  }
  const struct itimerspec when = {.it_value.tv_nsec = 1000000};
  const int64_t start = now_ns();
  timerfd_settime(timer, 0, &when, NULL);
  struct epoll_event event;
  epoll_wait(epoll, &event, 1, -1);
  const int64_t end = now_ns();
  uint64_t expirations;
  if (read(timer, &expirations, sizeof expirations) < 0) die("read");
  return (double)(end - start - 1000000);
}

// Two threads on two futexes. Each waits until its word has reached a number.
static atomic_int ping_word, pong_word;
static _Atomic int64_t woken_at;

static void wait_for(atomic_int* futex, int number) {
  for (int seen; (seen = atomic_load(futex)) < number;)
    syscall(SYS_futex, futex, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void wake(atomic_int* futex, int number) {
  atomic_store(futex, number);
  syscall(SYS_futex, futex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void* answer(void* unused) {
  for (int i = 1;; ++i) {
    wait_for(&ping_word, i);
    atomic_store(&woken_at, now_ns());
    wake(&pong_word, i);
  }
  return unused;
}

static void futex_pingpong(long operations) {
  int number = atomic_load(&pong_word);
  for (long i = 0; i < operations; ++i) {
    wake(&ping_word, ++number);
    wait_for(&pong_word, number);
  }
}

static double wake_idle(void) {
  const struct timespec until_it_sleeps = {.tv_nsec = 300000};
  nanosleep(&until_it_sleeps, NULL);
  const int64_t start = now_ns();
  futex_pingpong(1);
  return (double)(atomic_load(&woken_at) - start);
}

// ---- a cached file ---------------------------------------------------------------------------

static int file;

static void read_4k(long operations) {
  static char block[4096];
  for (long i = 0; i < operations; ++i) {
    if (pread(file, block, sizeof block, i % 256 * 4096) != sizeof block) die("pread");
  }
}

static void create_file(void) {
  static const char block[4096];
  file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  if (file < 0) die("open an unnamed file in /tmp");
  for (int i = 0; i < 256; ++i)
    if (write(file, block, sizeof block) != sizeof block) die("write");
}

int main(int argc, char** argv) {
  output = argc > 1 ? fopen(argv[1], "w") : stdout;
  if (output == NULL) die(argv[1]);
  heap = malloc(million * sizeof *heap);
  timers = malloc(million * sizeof *timers);
  if (heap == NULL || timers == NULL) die("malloc");
  create_file();
  // What is freed stays: a page fault for each page of each repetition would be the kernel's figure.
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);

  measure("cas", 10 * million, compare_and_swap);
  measure("fetch_add", 10 * million, fetch_add);
  measure("spawn_join_each", 5 * million, spawn_join_each);
  measure("spawn_join_1m", million, spawn_join_many);
  measure("yield_1000", 10 * million, yield_1000);
  measure("chan0_pingpong", 10 * million, chan0_pingpong);
  measure("chan100_stream", 20 * million, chan100_stream);
  measure("mutex_100", 5 * million, mutex_100);
  measure("timer_create_cancel_1m", million, timer_create_cancel);
  measure("file_read_4k_d64", 100000, read_4k);
  measure_latency("sleep_1ms_late", 500, sleep_1ms_late);

  pthread_t thread;
  errno = pthread_create(&thread, NULL, answer, NULL);
  if (errno != 0) die("pthread_create");
  measure_latency("wake_idle", 1000, wake_idle);
  measure("chan0_pingpong_x", 20000, futex_pingpong);
  return 0;
}
