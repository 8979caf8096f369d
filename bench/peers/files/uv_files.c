// libuv's file operations: its pool of four threads, one loop.

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <uv.h>

static uv_loop_t* loop;
static char buffers[depth][block_bytes];
static uv_fs_t requests[depth];

static long begun;
static long wanted;
static uv_file file;
static int writes;

static int checked(ssize_t result, const char* what) {
  if (result < 0) {
    errno = (int)-result;
    die(what);
  }
  return (int)result;
}

static void next(uv_fs_t* request);

static void moved(uv_fs_t* request) {
  if (request->result != block_bytes) die("a transfer");
  uv_fs_req_cleanup(request);
  next(request);
}

static void next(uv_fs_t* request) {
  if (begun == wanted) return;
  const int64_t offset = begun++ % blocks * block_bytes;
  const uv_buf_t buffer = uv_buf_init(buffers[request - requests], block_bytes);
  checked(writes ? uv_fs_write(loop, request, file, &buffer, 1, offset, moved)
                 : uv_fs_read(loop, request, file, &buffer, 1, offset, moved),
          "a transfer");
}

static void ignore(uv_fs_t* request) { (void)request; }

// Waits for the one request that was begun, and gives its result.
static int finish(uv_fs_t* request, const char* what) {
  uv_run(loop, UV_RUN_DEFAULT);
  const int result = checked(request->result, what);
  uv_fs_req_cleanup(request);
  return result;
}

static uv_file open_file(const char* path, int flags) {
  uv_fs_t request;
  checked(uv_fs_open(loop, &request, path, flags, 0, ignore), path);
  return finish(&request, path);
}

static void close_file(uv_file which) {
  uv_fs_t request;
  checked(uv_fs_close(loop, &request, which, ignore), "close");
  finish(&request, "close");
}

static void transfers(long operations, int flags) {
  file = open_file(block_path, flags);
  writes = flags == O_WRONLY;
  begun = 0;
  wanted = operations;
  for (int i = 0; i < depth; ++i) next(&requests[i]);
  uv_run(loop, UV_RUN_DEFAULT);
  close_file(file);
}

static void read_4k(long operations) { transfers(operations, O_RDONLY); }
static void write_4k(long operations) { transfers(operations, O_WRONLY); }

static void open_close(long operations) {
  for (long i = 0; i < operations; ++i) close_file(open_file(block_path, O_RDONLY));
}

static void stat_each(long operations) {
  uv_fs_t request;
  for (long i = 0; i < operations; ++i) {
    checked(uv_fs_stat(loop, &request, block_path, ignore), "stat");
    finish(&request, "stat");
  }
}

static void copy(long mebibytes) {
  static char chunk[chunk_bytes];
  const uv_buf_t buffer = uv_buf_init(chunk, chunk_bytes);
  const uv_file from = open_file(copy_from, O_RDONLY);
  const uv_file to = open_file(copy_to, O_WRONLY | O_TRUNC);
  for (long at = 0; at < mebibytes << 20; at += chunk_bytes) {
    uv_fs_t request;
    checked(uv_fs_read(loop, &request, from, &buffer, 1, at, ignore), "read");
    if (finish(&request, "read") != chunk_bytes) die("a short read");
    checked(uv_fs_write(loop, &request, to, &buffer, 1, at, ignore), "write");
    if (finish(&request, "write") != chunk_bytes) die("a short write");
  }
  close_file(from);
  close_file(to);
}

int main(int argc, char** argv) {
  static const struct rows rows = {read_4k, write_4k, open_close, stat_each, copy};
  loop = uv_default_loop();
  return measure_rows(argc, argv, &rows);
}
