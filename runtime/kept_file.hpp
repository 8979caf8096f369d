#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace cove::detail {

/// A file of the system's that is read again and again. It is opened by the first read that can,
/// and stays open: the next one costs one call, and works also when the process has no descriptor
/// left or may no longer open it.
class kept_file {
 public:
  explicit kept_file(std::string path) noexcept : path_(std::move(path)) {}
  kept_file(kept_file&& other) noexcept;
  kept_file& operator=(kept_file&&) = delete;
  ~kept_file() { close(); }

  /// Reads up to `size` bytes from `offset` on. Gives their number, 0 at the end of the file, and
  /// -1 if it cannot be read; then the next read opens it anew.
  std::int64_t read(char* into, std::size_t size, std::int64_t offset) noexcept;

  /// The whole file. False if it cannot be read. May throw std::bad_alloc.
  bool read_all(std::string& into);

 private:
  void close() noexcept;

  std::string path_;
  int fd_ = -1;
};

}  // namespace cove::detail
