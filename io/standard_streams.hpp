#pragma once

#include <cove/runtime/result.hpp>

#include <cstddef>

// How a standard stream is reached: private contract of this room.

namespace cove::io::detail {

/// Opens descriptor `number` of the process for cove alone, as far as that is possible; what is
/// done with which kind stands in <cove/io/standard_streams.hpp>. Errors: throws, naming it `name`.
struct standard_stream open_standard(int number, bool to_read, const char* name);

/// One call, which may wait; for threads of the pool.
io_result read_waiting(int fd, void* buffer, std::size_t size) noexcept;
io_result write_waiting(int fd, const void* buffer, std::size_t size) noexcept;

}  // namespace cove::io::detail
