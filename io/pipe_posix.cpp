#include "pipe.hpp"

#include <cove/runtime/detail/own_number.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace cove::io::detail {

result<pipe_numbers> open_pipe() noexcept {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return system_error_code(errno);
  return pipe_numbers{ends[0], ends[1]};
}

result<pipe_numbers> open_own_pipe() noexcept {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0 || !cove::detail::own_numbers(ends))
    return system_error_code(errno);
  return pipe_numbers{ends[0], ends[1]};
}

result<int> open_path(const std::string& path, access_mode how) noexcept {
  int mode = O_RDONLY;
  if (how.writes) mode = how.reads ? O_RDWR : O_WRONLY;
  int fd = -1;
  do fd = ::open(path.c_str(), mode | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return system_error_code(errno);
  return fd;
}

result<int> get_capacity(int fd) noexcept {
  const int bytes = ::fcntl(fd, F_GETPIPE_SZ);
  if (bytes < 0) return system_error_code(errno);
  return bytes;
}

std::error_code set_capacity(int fd, int bytes) noexcept {
  return ::fcntl(fd, F_SETPIPE_SZ, bytes) >= 0 ? std::error_code() : system_error_code(errno);
}

}  // namespace cove::io::detail
