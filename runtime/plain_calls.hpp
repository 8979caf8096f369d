#pragma once

#include <sys/uio.h>

#include <cstddef>

namespace cove::detail {

// read(2) and writev(2) for what is no socket, as socket_calls.hpp has them for sockets.

ssize_t read(int fd, void* buffer, std::size_t size) noexcept;

/// Not waiting, however the descriptor was opened; EOPNOTSUPP where the system cannot say so.
ssize_t read_at_once(int fd, void* buffer, std::size_t size) noexcept;
ssize_t write_at_once(int fd, const iovec& what) noexcept;

/// Gives EPIPE for a pipe that nobody reads, and raises no SIGPIPE; see plain_calls_linux.cpp.
ssize_t write_quietly(int fd, const iovec* parts, int count) noexcept;

}  // namespace cove::detail
