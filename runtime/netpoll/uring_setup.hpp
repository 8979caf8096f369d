#pragma once

#include <cove/runtime/detail/ring_call.hpp>

#include <liburing.h>

#include <bitset>

namespace cove::netpoll {

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
  /// Linux 5.19 or newer: one accept for many connections, and rings of buffers. Completions wait
  /// for the submitting thread's next visit to the kernel; older ones interrupt it each time.
  bool modern() const noexcept { return modern_; }
  /// Does the kernel say that its rings know it?
  bool knows(detail::ring_verb verb) const noexcept {
    return known_.test(static_cast<std::size_t>(verb));
  }

 private:
  void probe() noexcept;

  io_uring ring_{};
  bool modern_ = false;
  std::bitset<detail::ring_verbs> known_;
};

}  // namespace cove::netpoll
