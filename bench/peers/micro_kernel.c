// What the kernel takes for sleeping, for waking another thread, and for reading a cached file.

#define _GNU_SOURCE
#include "measure.h"
#include "micro.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

double sleep_1ms_late(void) {
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

void start_answering(void) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, answer, NULL);
  if (errno != 0) die("pthread_create");
}

void futex_pingpong(long operations) {
  int number = atomic_load(&pong_word);
  for (long i = 0; i < operations; ++i) {
    wake(&ping_word, ++number);
    wait_for(&pong_word, number);
  }
}

double wake_idle(void) {
  const struct timespec until_it_sleeps = {.tv_nsec = 300000};
  nanosleep(&until_it_sleeps, NULL);
  const int64_t start = now_ns();
  futex_pingpong(1);
  return (double)(atomic_load(&woken_at) - start);
}

static int file;

static void create_file(void) {
  static const char block[4096];
  file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  if (file < 0) die("open an unnamed file in /tmp");
  for (int i = 0; i < 256; ++i)
    if (write(file, block, sizeof block) != sizeof block) die("write");
}

void read_4k(long operations) {
  if (file == 0) create_file();
  static char block[4096];
  for (long i = 0; i < operations; ++i) {
    if (pread(file, block, sizeof block, i % 256 * 4096) != sizeof block) die("pread");
  }
}
