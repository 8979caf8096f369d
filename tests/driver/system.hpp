#pragma once

#include <cstdint>
#include <string>

namespace cove::driver {

// What the driver asks the system itself. None of it goes through the library.

/// The flags of a descriptor.
bool closes_on_exec(int fd) noexcept;
bool never_blocks(int fd) noexcept;
bool is_write_only(int fd) noexcept;
/// Seconds that closing lingers; -1 for the system's default.
int linger_seconds(int fd);

std::int64_t process_id() noexcept;
/// Descriptors that are open in this process.
std::int64_t open_descriptors();
/// Memory of this process that is resident.
std::int64_t resident_kb();

}  // namespace cove::driver
