#include "system.hpp"

#include <cove/runtime/error.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace cove::driver {

bool closes_on_exec(int fd) noexcept { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

bool never_blocks(int fd) noexcept { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

bool is_write_only(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY;
}

int linger_seconds(int fd) {
  ::linger value{};
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &size) != 0)
    throw error(system_error_code(errno), "linger");
  return value.l_onoff != 0 ? value.l_linger : -1;
}

std::int64_t process_id() noexcept { return ::getpid(); }

std::int64_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all)) - 1;  // One of them reads the list.
}

std::int64_t resident_kb() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size_pages = 0;
  std::int64_t resident_pages = 0;
  statm >> size_pages >> resident_pages;
  return resident_pages * ::sysconf(_SC_PAGESIZE) / 1024;
}

}  // namespace cove::driver
