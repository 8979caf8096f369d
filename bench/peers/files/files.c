#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { path_bytes = 4096 };

char block_path[path_bytes];
char copy_from[path_bytes];
char copy_to[path_bytes];

static void remove_files(void) {
  unlink(block_path);
  unlink(copy_from);
  unlink(copy_to);
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
  report_to(argc == 3 ? argv[2] : NULL);
  atexit(remove_files);
  create(block_path, argv[1], "blocks", (long)blocks * block_bytes);
  create(copy_from, argv[1], "from", copied_bytes);
  create(copy_to, argv[1], "to", 0);
  measure("file_read_4k_d64", 100000, rows->read_4k);
  measure("file_write_4k_d64", 50000, rows->write_4k);
  measure("file_open_close", 20000, rows->open_close);
  measure("file_stat", stats, rows->stat);
  measure("file_copy_mib", copied_bytes >> 20, rows->copy);
  return 0;
}
