#pragma once

#include <cove/runtime/detail/io_op.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>

namespace cove::detail {

/// The next buffers of a vectored operation as the system wants them. The caller's array stays as
/// it is; what is more than fits here goes with a later call.
class native_vector {
 public:
  native_vector() noexcept = default;
  explicit native_vector(const io_op& op) noexcept { fill(op); }
  native_vector(const native_vector&) = delete;
  native_vector& operator=(const native_vector&) = delete;

  void fill(const io_op& op) noexcept {
    std::size_t skip = op.vec_offset;
    std::size_t count = 0;
    for (std::size_t i = 0; i < op.size && count < most; ++i) {
      if (op.vec[i].size > skip)
        parts_[count++] = {static_cast<char*>(op.vec[i].data) + skip, op.vec[i].size - skip};
      skip = 0;
    }
    message_.msg_iov = parts_;
    message_.msg_iovlen = count;
  }
  msghdr* message() noexcept { return &message_; }
  const iovec* parts() const noexcept { return parts_; }
  std::size_t count() const noexcept { return message_.msg_iovlen; }

 private:
  static constexpr std::size_t most = 128;
  iovec parts_[most];
  msghdr message_{};
};

}  // namespace cove::detail
