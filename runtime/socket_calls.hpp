#pragma once

#include <sys/types.h>

#include <cstddef>

namespace cove::detail {

// recv(2) and send(2), as cheap as the system allows. No thread of a runtime is ever cancelled by
// pthread_cancel, so they need not be the cancellation points that POSIX makes of them.

ssize_t receive(int fd, void* buffer, std::size_t size, int flags) noexcept;
ssize_t send(int fd, const void* buffer, std::size_t size, int flags) noexcept;

}  // namespace cove::detail
