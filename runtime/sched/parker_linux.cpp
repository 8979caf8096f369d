#include "sched/parker.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace cove::sched {
namespace {

void futex_wait(detail::atomic<std::uint32_t>& word, std::uint32_t expected,
                const timespec* limit) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, limit, nullptr, 0);
}

}  // namespace

void parker::park() noexcept {
  while (!park_for(-1)) {
  }
}

bool parker::park_for(std::int64_t limit_ns) noexcept {
  std::uint32_t state = empty;
  // acquire (all exchanges): pairs with the release in unpark(), behind which the waker left work.
  if (!state_.compare_exchange_strong(state, waiting, std::memory_order_acquire)) {
    return state_.exchange(empty, std::memory_order_acquire) == token;
  }
  timespec limit{};
  if (limit_ns >= 0) {
    limit.tv_sec = limit_ns / 1'000'000'000;
    limit.tv_nsec = limit_ns % 1'000'000'000;
  }
  futex_wait(state_, waiting, limit_ns >= 0 ? &limit : nullptr);
  return state_.exchange(empty, std::memory_order_acquire) == token;
}

void parker::unpark() noexcept {
  // release: what the waker prepared is seen by the thread that takes the token.
  if (state_.exchange(token, std::memory_order_release) == waiting)
    ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace cove::sched
