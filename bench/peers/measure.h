#pragma once

#include <stdint.h>

// What the peers in C have in common: a clock, and rows of `name value` in nanoseconds.

_Noreturn void die(const char* what);
int64_t now_ns(void);

// Where the rows go; NULL: standard output.
void report_to(const char* file);
void report(const char* name, double value);

void sort(double* values, int count);

// Reports what one operation takes, the median of several repetitions. `run` does the operation as
// often as it is told; NULL: there is no such row.
void measure(const char* name, long operations, void (*run)(long operations));
