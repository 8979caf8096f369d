#pragma once

#include <liburing.h>

namespace cove::netpoll {

/// What this backend uses of a kernel's io_uring beside the least that it needs.
struct uring_features {
  /// Completions wait for the submitting thread's next visit to the kernel (5.19). Without, each
  /// one interrupts that thread.
  bool cooperative = false;
  /// One accept for many connections, and rings of buffers (5.19).
  bool modern = false;
};

/// One io_uring, made with as much as the kernel gives.
///
/// COVE_IO_URING_KERNEL="5.15" has it leave alone what came after that version, so that its older
/// ways can be tried on a newer kernel.
class uring_setup {
 public:
  /// Errors: error of the system call that was refused, and what to do about it.
  explicit uring_setup(unsigned entries);
  ~uring_setup() { ::io_uring_queue_exit(&ring_); }
  uring_setup(const uring_setup&) = delete;
  uring_setup& operator=(const uring_setup&) = delete;

  io_uring& ring() noexcept { return ring_; }
  const uring_features& features() const noexcept { return features_; }

 private:
  io_uring ring_{};
  uring_features features_;
};

}  // namespace cove::netpoll
