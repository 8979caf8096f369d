// What io_uring makes of the file rows: one ring, one thread, as many requests under way as the row
// says, handed in and taken out together.

#define _GNU_SOURCE  // statx

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct io_uring ring;
static char buffers[depth][block_bytes];

static void check(int result, const char* what) {
  if (result >= 0) return;
  errno = -result;
  die(what);
}

static struct io_uring_sqe* request(void) {
  struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  if (sqe == NULL) die("io_uring_get_sqe");
  return sqe;
}

// Hands in what is there, and waits for one of them.
static int one(const char* what) {
  struct io_uring_cqe* done;
  check(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  check(io_uring_wait_cqe(&ring, &done), "io_uring_wait_cqe");
  const int result = done->res;
  check(result, what);
  io_uring_cqe_seen(&ring, done);
  return result;
}

static int open_file(const char* path, int flags) {
  io_uring_prep_openat(request(), AT_FDCWD, path, flags | O_CLOEXEC, 0);
  return one(path);
}

static void close_file(int file) {
  io_uring_prep_close(request(), file);
  one("close");
}

static void transfers(long operations, int file, int writes) {
  long begun = 0;
  long ended = 0;
  while (ended < operations) {
    for (; begun < operations && begun - ended < depth; ++begun) {
      const unsigned long long offset = (unsigned long long)(begun % blocks) * block_bytes;
      char* buffer = buffers[begun % depth];
      if (writes)
        io_uring_prep_write(request(), file, buffer, block_bytes, offset);
      else
        io_uring_prep_read(request(), file, buffer, block_bytes, offset);
    }
    check(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    struct io_uring_cqe* done;
    unsigned head;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring, head, done) {
      if (done->res != block_bytes) die("a transfer");
      ++count;
    }
    io_uring_cq_advance(&ring, count);
    ended += count;
  }
}

static void read_4k(long operations) {
  const int file = open_file(block_path, O_RDONLY);
  transfers(operations, file, 0);
  close_file(file);
}

static void write_4k(long operations) {
  const int file = open_file(block_path, O_WRONLY);
  transfers(operations, file, 1);
  close_file(file);
}

static void open_close(long operations) {
  for (long i = 0; i < operations; ++i) close_file(open_file(block_path, O_RDONLY));
}

static void stat_each(long operations) {
  struct statx status;
  for (long i = 0; i < operations; ++i) {
    io_uring_prep_statx(request(), AT_FDCWD, block_path, 0, STATX_BASIC_STATS, &status);
    one("statx");
  }
}

static void copy(long mebibytes) {
  static char chunk[chunk_bytes];
  const int from = open_file(copy_from, O_RDONLY);
  const int to = open_file(copy_to, O_WRONLY | O_TRUNC);
  for (long at = 0; at < mebibytes << 20; at += chunk_bytes) {
    io_uring_prep_read(request(), from, chunk, chunk_bytes, (unsigned long long)at);
    if (one("read") != chunk_bytes) die("a short read");
    io_uring_prep_write(request(), to, chunk, chunk_bytes, (unsigned long long)at);
    if (one("write") != chunk_bytes) die("a short write");
  }
  close_file(from);
  close_file(to);
}

int main(int argc, char** argv) {
  static const struct rows rows = {read_4k, write_4k, open_close, stat_each, copy};
  const int made = io_uring_queue_init(2 * depth, &ring, 0);
  if (made < 0) {
    fprintf(stderr, "io_uring: %s\n", strerror(-made));
    return 77;
  }
  return measure_rows(argc, argv, &rows);
}
