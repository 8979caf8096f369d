// The floor of reads that must not wait for a disk, in a runtime: a loop of preadv2(RWF_NOWAIT),
// with a second thread that does nothing. What it takes more than raw_files is the kernel's: it
// copies the list of buffers, and it counts who uses the file where threads share the table.

#define _GNU_SOURCE
#include "files.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void read_4k(long operations) {
  static char block[block_bytes];
  const struct iovec part = {block, block_bytes};
  const int file = open(block_path, O_RDONLY | O_CLOEXEC);
  if (file < 0) die(block_path);
  for (long i = 0; i < operations; ++i) {
    // Not by the library's function, which costs more: it is a point of cancellation of threads.
    const long offset = i % blocks * block_bytes;
    if (syscall(SYS_preadv2, file, &part, 1, offset, 0, RWF_NOWAIT) != block_bytes) die("preadv2");
  }
  close(file);
}

static void* idle(void* nothing) {
  for (;;) pause();
  return nothing;
}

int main(int argc, char** argv) {
  pthread_t second;
  if (pthread_create(&second, NULL, idle, NULL) != 0) die("pthread_create");
  static const struct rows rows = {.read_4k = read_4k};
  return measure_rows(argc, argv, &rows);
}
