#pragma once

#include <cove/runtime/result.hpp>

// The system calls of pipes outside of operations: private contract of this room. They report with
// the system's code.

namespace cove::io::detail {

/// Both ends non-blocking and close-on-exec from the first moment.
struct pipe_numbers {
  int reader;
  int writer;
};
result<pipe_numbers> open_pipe() noexcept;

}  // namespace cove::io::detail
