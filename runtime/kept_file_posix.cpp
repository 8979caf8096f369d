#include "kept_file.hpp"

#include <cove/runtime/detail/own_number.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace cove::detail {

kept_file::kept_file(kept_file&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

std::int64_t kept_file::read(char* into, std::size_t size, std::int64_t offset) noexcept {
  if (fd_ < 0) fd_ = own_number(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd_ < 0) return -1;
  for (;;) {
    const ssize_t count = ::pread(fd_, into, size, offset);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    close();  // ENODEV: a cgroup that was removed. Another may have its name by now.
    return -1;
  }
}

bool kept_file::read_all(std::string& into) {
  constexpr std::size_t piece = 4096;
  std::size_t size = 0;
  for (;;) {
    into.resize(size + piece);
    const std::int64_t count = read(into.data() + size, piece, static_cast<std::int64_t>(size));
    if (count > 0) {
      size += static_cast<std::size_t>(count);
      continue;
    }
    into.resize(size);
    return count == 0;
  }
}

void kept_file::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace cove::detail
