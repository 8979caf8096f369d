#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <system_error>

// One epoll, with the waker of its backend inside: what `epoll` and `epoll-lt` have in common.

namespace cove::netpoll {

class waker;

class epoll_instance {
 public:
  /// What one call to the system may bring.
  struct batch {
    static constexpr int room = 128;
    epoll_event events[room];
    int count = 0;      ///< Below zero: the call failed (EINTR), and nothing happened.
    bool rung = false;  ///< The waker was among them; it is no event.
  };

  /// Throws error if the system gives no epoll.
  explicit epoll_instance(const waker& bell);
  ~epoll_instance();
  epoll_instance(const epoll_instance&) = delete;
  epoll_instance& operator=(const epoll_instance&) = delete;

  /// epoll_ctl: `what` is EPOLL_CTL_ADD and the like, `tag` what the events carry. Any thread.
  std::error_code control(int what, int fd, std::uint32_t events, std::uint64_t tag) noexcept;

  /// Collects without waiting.
  void collect(batch& into) noexcept;
  /// Waits for `delay_ns` at most (negative: without limit); never less than asked.
  void wait(batch& into, std::int64_t delay_ns) noexcept;

 private:
  int fd_ = -1;
};

}  // namespace cove::netpoll
