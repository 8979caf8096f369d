// What a scheduler's operations cost at least: the same work as function pointers in plain queues,
// without coroutines, without cancelling, and without another thread that could want a part. A
// goal in nanoseconds is scaled by these figures, which say how fast the machine is today.
//
//     raw_micro [FILE]    prints `name value` lines in ns, the median of several repetitions
//
// The names are those of the programs it is compared to, without their suffix for the workers.

#include "measure.h"
#include "micro.h"

#include <malloc.h>
#include <stdio.h>

enum { million = 1000000, samples_max = 1000 };

// `sample` gives one latency. It is the distribution that counts.
static void measure_latency(const char* name, int samples, double (*sample)(void)) {
  double results[samples_max];
  char line[64];
  for (int i = 0; i < samples; ++i) results[i] = sample();
  sort(results, samples);
  snprintf(line, sizeof line, "%s_p50", name);
  report(line, results[samples / 2]);
  snprintf(line, sizeof line, "%s_p99", name);
  report(line, results[samples * 99 / 100]);
}

int main(int argc, char** argv) {
  report_to(argc > 1 ? argv[1] : NULL);
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
