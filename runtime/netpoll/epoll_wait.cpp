#include "netpoll/epoll_wait.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <ctime>

namespace cove::netpoll {
namespace {

/// The kernel has no epoll_pwait2. relaxed: a hint that only ever changes from false to true.
std::atomic<bool> coarse{false};

}  // namespace

int epoll_wait_for(int fd, epoll_event* events, int most, std::int64_t delay_ns) noexcept {
  if (delay_ns >= 0 && !coarse.load(std::memory_order_relaxed)) {
    timespec limit{};
    limit.tv_sec = delay_ns / 1'000'000'000;
    limit.tv_nsec = delay_ns % 1'000'000'000;
    const int count = ::epoll_pwait2(fd, events, most, &limit, nullptr);
    // An old kernel answers ENOSYS, a filter EPERM.
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    coarse.store(true, std::memory_order_relaxed);
  }
  const std::int64_t rounded = delay_ns < 0 ? -1 : (delay_ns + 999'999) / 1'000'000;
  const int limit_ms = static_cast<int>(std::min<std::int64_t>(rounded, INT_MAX));
  return ::epoll_wait(fd, events, most, limit_ms);
}

}  // namespace cove::netpoll
