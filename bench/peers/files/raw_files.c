// The floor of the file rows: a loop of plain system calls on one thread. Nothing is under way at
// once, and nothing else could be done meanwhile.

#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_or_die(const char* path, int flags) {
  const int file = open(path, flags | O_CLOEXEC);
  if (file < 0) die(path);
  return file;
}

static void read_4k(long operations) {
  static char block[block_bytes];
  const int file = open_or_die(block_path, O_RDONLY);
  for (long i = 0; i < operations; ++i)
    if (pread(file, block, block_bytes, i % blocks * block_bytes) != block_bytes) die("pread");
  close(file);
}

static void write_4k(long operations) {
  static const char block[block_bytes];
  const int file = open_or_die(block_path, O_WRONLY);
  for (long i = 0; i < operations; ++i)
    if (pwrite(file, block, block_bytes, i % blocks * block_bytes) != block_bytes) die("pwrite");
  close(file);
}

static void open_close(long operations) {
  for (long i = 0; i < operations; ++i) close(open_or_die(block_path, O_RDONLY));
}

static void stat_each(long operations) {
  struct stat status;
  for (long i = 0; i < operations; ++i)
    if (stat(block_path, &status) != 0) die("stat");
}

static void copy(long mebibytes) {
  static char chunk[chunk_bytes];
  const int from = open_or_die(copy_from, O_RDONLY);
  const int to = open_or_die(copy_to, O_WRONLY | O_TRUNC);
  for (long left = mebibytes << 20; left > 0; left -= chunk_bytes) {
    if (read(from, chunk, chunk_bytes) != chunk_bytes) die("read");
    if (write(to, chunk, chunk_bytes) != chunk_bytes) die("write");
  }
  close(from);
  close(to);
}

int main(int argc, char** argv) {
  static const struct rows rows = {read_4k, write_4k, open_close, stat_each, copy};
  return measure_rows(argc, argv, &rows);
}
