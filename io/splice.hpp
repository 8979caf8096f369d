#pragma once

#include <cstddef>
#include <cstdint>

// The kernel's ways to copy without showing the bytes: private contract of this room.
//
// Every call is made once (again after EINTR), waits for no socket or pipe, raises no SIGPIPE, and
// gives how many bytes it moved, 0 at the end, or -errno.

namespace cove::io::detail {

/// Does this error say that the kernel cannot copy between these two? Nothing has moved then.
bool cannot_splice(int error) noexcept;

/// Moves up to `size` bytes; one of the two is a pipe. A socket or pipe on the way that has nothing
/// or no room gives -EAGAIN.
/// Source: splice(2).
std::int64_t splice_once(int from, int to, std::size_t size) noexcept;

/// Sends up to `size` bytes of a file from `offset` on. Reading the file may wait for the disk.
/// Source: sendfile(2).
std::int64_t send_file_once(int file, std::int64_t offset, int to, std::size_t size) noexcept;

/// Is the byte at `offset` in the system's memory, so that sending it waits for no disk? True if
/// the file system does not say.
/// Source: preadv2(2) with RWF_NOWAIT.
bool is_cached(int file, std::int64_t offset) noexcept;

/// Would a read, or a write, not have to wait?
bool is_readable(int fd) noexcept;
bool is_writable(int fd) noexcept;

}  // namespace cove::io::detail
