#pragma once

#include <cove/io/file_status.hpp>

#include <system_error>

// The system calls behind file_status. They may wait for a disk: for threads of the pool.

namespace cove::io::detail {

/// Of an open descriptor. Errors: those of the system.
std::error_code read_status(int fd, file_status& into) noexcept;

/// Of a name; `follow`: of what it leads to, if it is a symbolic link. A relative one begins at
/// `folder`, a descriptor, or where the process stands (current_folder).
std::error_code read_status(int folder, const char* path, bool follow, file_status& into) noexcept;

extern const int current_folder;

}  // namespace cove::io::detail
