// The operations that raw_micro measures. Each does its work as often as it is told, or gives one
// latency in nanoseconds.
#pragma once

void spawn_join_each(long operations);
void spawn_join_many(long operations);  // All are spawned before the first runs.
void yield_1000(long operations);
void chan0_pingpong(long operations);
void chan100_stream(long operations);
void mutex_100(long operations);
void compare_and_swap(long operations);
void fetch_add(long operations);

void timer_create_cancel(long operations);  // At most a million.

double sleep_1ms_late(void);
void start_answering(void);  // The other thread of the two below.
double wake_idle(void);
void futex_pingpong(long operations);
void read_4k(long operations);
