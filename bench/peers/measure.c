#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { repetitions = 7 };

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

void report_to(const char* file) {
  output = file != NULL ? fopen(file, "w") : stdout;
  if (output == NULL) die(file);
}

void report(const char* name, double value) {
  fprintf(output, "%s %.2f\n", name, value);
  fflush(output);
}

static int ascending(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return (x > y) - (x < y);
}

void sort(double* values, int count) { qsort(values, (size_t)count, sizeof *values, ascending); }

void measure(const char* name, long operations, void (*run)(long operations)) {
  double results[repetitions];
  if (run == NULL) return;
  run(operations / 10);
  for (int i = 0; i < repetitions; ++i) {
    const int64_t start = now_ns();
    run(operations);
    results[i] = (double)(now_ns() - start) / (double)operations;
  }
  sort(results, repetitions);
  report(name, results[repetitions / 2]);
}
