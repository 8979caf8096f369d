// A ring that carries one nop. Ends with 77 where the kernel lets no one have a ring.

#include <liburing.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

int main() {
  io_uring ring{};
  const int refused = io_uring_queue_init(4, &ring, 0);
  if (refused == -ENOSYS || refused == -EPERM || refused == -EACCES) {
    std::printf("io_uring_queue_init failed with %d\n", refused);
    return 77;
  }
  if (refused != 0) return 1;

  constexpr std::uint64_t mark = 42;
  io_uring_sqe* asked = io_uring_get_sqe(&ring);
  io_uring_prep_nop(asked);
  io_uring_sqe_set_data64(asked, mark);
  io_uring_cqe* answer = nullptr;
  bool good = io_uring_submit(&ring) == 1 && io_uring_wait_cqe(&ring, &answer) == 0;
  good = good && answer->res == 0 && io_uring_cqe_get_data64(answer) == mark;
  good = good && io_uring_major_version() == IO_URING_VERSION_MAJOR;
  io_uring_queue_exit(&ring);
  std::puts(good ? "the nop came back" : "the nop was lost");
  return good ? 0 : 1;
}
