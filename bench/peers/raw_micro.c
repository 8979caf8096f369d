// What a scheduler's operations cost at least: the same work as function pointers in plain queues,
// without coroutines, without cancelling, and without another thread that could want a part. A
// goal in nanoseconds is scaled by these figures, which say how fast the machine is today.
//
//     raw_micro [FILE]    prints `name value` lines in ns, the median of several repetitions
//
// The names are those of the programs it is compared to, without their suffix for the workers.

#include "micro.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { repetitions = 7, million = 1000000, samples_max = 1000 };

static FILE* output;

_Noreturn void die(const char* what) {
  perror(what);
  exit(1);
}

int64_t now_ns(void) {
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

int main(int argc, char** argv) {
  output = argc > 1 ? fopen(argv[1], "w") : stdout;
  if (output == NULL) die(argv[1]);
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

  start_answering();
  measure_latency("wake_idle", 1000, wake_idle);
  measure("chan0_pingpong_x", 20000, futex_pingpong);
  measure("blocking_hop", 20000, futex_pingpong);  // What a call on another thread is at least.
  return 0;
}
