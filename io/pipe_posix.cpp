#include "pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace cove::io::detail {

result<pipe_numbers> open_pipe() noexcept {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return system_error_code(errno);
  return pipe_numbers{ends[0], ends[1]};
}

}  // namespace cove::io::detail
