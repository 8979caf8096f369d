#pragma once

#include <cove/io/fs_directory.hpp>

#include <system_error>
#include <vector>

// An open directory and the entries that were read of it ahead: private contract of this room. The
// calls may wait for a disk: for threads of the pool.

namespace cove::io::detail {

class directory_stream {
 public:
  directory_stream() noexcept = default;
  directory_stream(const directory_stream&) = delete;
  directory_stream& operator=(const directory_stream&) = delete;
  /// Closes it, which waits for nothing.
  ~directory_stream();

  /// Opens `path`, if it is not open, and reads the next entries: some hundreds, or what is left.
  /// What was read before an error stands in `entries`, too.
  void read_some(const std::string& path) noexcept;

  // Of the last read_some().
  std::error_code failed;
  std::vector<fs::directory_entry> entries;
  bool ended = false;  ///< There are no more.

 private:
  std::error_code read_entries();

  void* stream_ = nullptr;  ///< DIR*
};

}  // namespace cove::io::detail
