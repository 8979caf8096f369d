#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { repetitions = 7, path_bytes = 4096 };

char block_path[path_bytes];
char copy_from[path_bytes];
char copy_to[path_bytes];

static FILE* output;

static void remove_files(void) {
  unlink(block_path);
  unlink(copy_from);
  unlink(copy_to);
}

_Noreturn void die(const char* what) {
  perror(what);
  remove_files();
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

static void measure(const char* name, long operations, void (*run)(long)) {
  double results[repetitions];
  if (run == NULL) return;
  run(operations / 8);
  for (int i = 0; i < repetitions; ++i) {
    const int64_t start = now_ns();
    run(operations);
    results[i] = (double)(now_ns() - start) / (double)operations;
  }
  qsort(results, repetitions, sizeof *results, ascending);
  fprintf(output, "%s %.2f\n", name, results[repetitions / 2]);
  fflush(output);
}

static void create(char* path, const char* folder, const char* name, long bytes) {
  static const char block[block_bytes];
  if (snprintf(path, path_bytes, "%s/%s.%ld", folder, name, (long)getpid()) >= path_bytes) {
    errno = ENAMETOOLONG;
    die(folder);
  }
  const int file = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
  if (file < 0) die(path);
  for (long done = 0; done < bytes; done += block_bytes)
    if (write(file, block, block_bytes) != block_bytes) die(path);
  close(file);
}

int measure_rows(int argc, char** argv, const struct rows* rows) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s FOLDER [FILE]\n", argv[0]);
    return 2;
  }
  output = argc == 3 ? fopen(argv[2], "w") : stdout;
  if (output == NULL) die(argv[2]);
  create(block_path, argv[1], "blocks", (long)blocks * block_bytes);
  create(copy_from, argv[1], "from", copied_bytes);
  create(copy_to, argv[1], "to", 0);
  measure("file_read_4k_d64", 100000, rows->read_4k);
  measure("file_write_4k_d64", 50000, rows->write_4k);
  measure("file_open_close", 20000, rows->open_close);
  measure("file_stat", stats, rows->stat);
  measure("file_copy_mib", copied_bytes >> 20, rows->copy);
  remove_files();
  return 0;
}
