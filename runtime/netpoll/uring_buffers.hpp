#pragma once

#include <liburing.h>

#include <cstdint>

namespace cove::netpoll {

/// Buffers that the kernel takes from when a receive has something to receive, so that a connection
/// which waits has none.
///
/// They are those of borrow_buffer(). One that a receive took is the receiver's, as if it had
/// borrowed it, and another one takes its place: so a lease needs to know nothing of rings, and may
/// outlive them.
///
/// Threads: under the lane's lock; make() by the holder of the processor.
class uring_buffers {
 public:
  static constexpr unsigned group = 1;

  explicit uring_buffers(io_uring& ring) noexcept : ring_(ring) {}
  ~uring_buffers();
  uring_buffers(const uring_buffers&) = delete;
  uring_buffers& operator=(const uring_buffers&) = delete;

  /// Makes them, the first time. False where the kernel has no rings of buffers, or no memory.
  bool make() noexcept;

  /// The buffer that a completion names in its flags: the caller's from now on.
  void* take(std::uint32_t flags) noexcept;

 private:
  static constexpr unsigned count = 32;

  void refill(unsigned id) noexcept;

  io_uring& ring_;
  io_uring_buf_ring* free_ = nullptr;
  void* buffers_[count] = {};
  unsigned missing_ = 0;  ///< Places for which there was no memory.
  bool refused_ = false;
};

}  // namespace cove::netpoll
