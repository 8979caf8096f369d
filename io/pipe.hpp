#pragma once

#include <cove/io/detail/native.hpp>

// The system calls of pipes outside of operations: private contract of this room. They report with
// the system's code.

namespace cove::io::detail {

/// Both ends non-blocking and close-on-exec from the first moment.
struct pipe_numbers {
  int reader;
  int writer;
};
result<pipe_numbers> open_pipe() noexcept;
/// For the library itself, never one of the standard streams' numbers.
result<pipe_numbers> open_own_pipe() noexcept;

/// An existing path, in one or both directions; non-blocking and close-on-exec.
result<int> open_path(const std::string& path, access_mode how) noexcept;

/// Bytes.
result<int> get_capacity(int fd) noexcept;
std::error_code set_capacity(int fd, int bytes) noexcept;

}  // namespace cove::io::detail
