#pragma once

#include <cstdint>

struct epoll_event;

namespace cove::netpoll {

/// epoll_wait() for nanoseconds (negative: without limit), in whole milliseconds, rounded up, where
/// the kernel cannot do better. What it gave; below zero it was interrupted.
int epoll_wait_for(int fd, epoll_event* events, int most, std::int64_t delay_ns) noexcept;

}  // namespace cove::netpoll
