#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <new>
#include <vector>

namespace cove::netpoll {

struct poll_desc;

/// A listener's accepts on a ring. One request accepts again and again; what it brings while nobody
/// awaits it is kept, and at `bound` the request is taken back, so that the others wait in the
/// listener's backlog as they would elsewhere.
///
///   armed      the request is with the kernel, until a completion says that it was the last
///   stopping   its cancel has been sent
///   closing    the descriptor was closed: it may go once the request has ended
///   waiter     that is waited for, for a moment, by the thread that closes
///
/// Under the lane's lock.
struct uring_accepts {
  static constexpr std::size_t bound = 16;

  uring_accepts() = default;
  ~uring_accepts() {
    for (const int fd : kept) refuse(fd);
  }
  uring_accepts(const uring_accepts&) = delete;
  uring_accepts& operator=(const uring_accepts&) = delete;

  /// A connection that nobody will have: reset, like those in the backlog of a closed listener.
  static void refuse(int fd) noexcept {
    const linger reset{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(fd);
  }
  /// False without memory: the connection is the caller's still.
  bool keep(int fd) noexcept {
    try {
      kept.push_back(fd);
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  /// In the order in which they came. There are few.
  int take() noexcept {
    const int fd = kept.front();
    kept.erase(kept.begin());
    return fd;
  }

  std::vector<int> kept;
  bool armed = false;
  bool stopping = false;
  poll_desc* closing = nullptr;
  bool* waiter = nullptr;  ///< To be set.
};

}  // namespace cove::netpoll
