#include "plain_calls.hpp"

#include <cove/runtime/detail/sigpipe_guard.hpp>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>

// Writing to a pipe that nobody reads, without SIGPIPE.
//
// The problem. send() has MSG_NOSIGNAL; write() has not. The signal goes to the thread that writes,
// and by default ends the process. Its disposition is the program's, and inherited by children over
// exec if it is "ignore", so the library must not set it.
//
// Rejected
//   SIGPIPE blocked for good in the workers   children inherit the mask, too, also those that a
//               task starts by system() or popen(), and then do not end when `head` has had
//               enough; it lies pending and strikes when somebody unblocks it; user code on the
//               worker that counts on the signal no longer gets it; and a thread that only visits
//               (block_on, try_write) needs something else anyway.
//   socket pairs in place of pipes   say nothing about FIFOs and what others have opened.
//   a look with poll() before        the reader may go between the look and the write.
//
// Chosen: pwritev2() with RWF_NOSIGNAL, which Linux has since 6.18: one call, as before, and no
// signal is made. An older kernel refuses the flag before it writes anything; from then on each
// write blocks the signal for its thread while it lasts (sigpipe_guard). That costs two short calls
// a write there, and leaves nothing behind.

namespace cove::detail {
namespace {

// Headers are older than kernels.
constexpr int no_wait = 8;        // RWF_NOWAIT: pipes since 6.5, terminals never.
constexpr int no_signal = 0x100;  // RWF_NOSIGNAL: since 6.18.
/// As an offset: where read() and write() would begin.
constexpr long where_it_stands = -1;

/// The kernel has no RWF_NOSIGNAL. relaxed: a hint that only ever changes from false to true. A
/// device that takes no flags may set it, which costs others the two calls.
std::atomic<bool> must_guard{false};

sigset_t only_sigpipe() noexcept {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGPIPE);
  return set;
}

bool is_refusal(int error) noexcept { return error == EOPNOTSUPP || error == ENOSYS; }

ssize_t write_guarded(int fd, const iovec* parts, int count) noexcept {
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  sigpipe_guard guard;
  const ssize_t n = ::syscall(SYS_writev, fd, parts, count);
  if (n < 0 ? errno == EPIPE : static_cast<std::size_t>(n) < size) guard.broke();
  return n;
}

}  // namespace

sigpipe_guard::sigpipe_guard() noexcept {
  const sigset_t what = only_sigpipe();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &what, &before);
  blocked_before_ = ::sigismember(&before, SIGPIPE) == 1;
  if (!blocked_before_) return;
  sigset_t pending;
  pending_before_ = ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGPIPE) == 1;
}

sigpipe_guard::~sigpipe_guard() {
  const int said = errno;
  const sigset_t what = only_sigpipe();
  // What this thread brought upon itself is found before what was sent to the process. One that
  // lay there before has become one with ours, and stays.
  if (broke_ && !pending_before_) {
    const timespec at_once{};
    while (::sigtimedwait(&what, nullptr, &at_once) < 0 && errno == EINTR) continue;
  }
  if (!blocked_before_) ::pthread_sigmask(SIG_UNBLOCK, &what, nullptr);
  errno = said;
}

ssize_t read(int fd, void* buffer, std::size_t size) noexcept {
  return ::syscall(SYS_read, fd, buffer, size);
}

ssize_t write_quietly(int fd, const iovec* parts, int count) noexcept {
  if (!must_guard.load(std::memory_order_relaxed)) {
    const ssize_t n =
        ::syscall(SYS_pwritev2, fd, parts, count, where_it_stands, where_it_stands, no_signal);
    // EPERM: a filter's word for it, or the descriptor's own, which write() then says again.
    if (n >= 0 || (!is_refusal(errno) && errno != EPERM)) return n;
    if (is_refusal(errno)) must_guard.store(true, std::memory_order_relaxed);
  }
  return write_guarded(fd, parts, count);
}

ssize_t read_at_once(int fd, void* buffer, std::size_t size) noexcept {
  const iovec into{buffer, size};
  return ::syscall(SYS_preadv2, fd, &into, 1, where_it_stands, where_it_stands, no_wait);
}

ssize_t write_at_once(int fd, const iovec& what) noexcept {
  // A kernel without the second flag takes none of them.
  return ::syscall(SYS_pwritev2, fd, &what, 1, where_it_stands, where_it_stands,
                   no_wait | no_signal);
}

}  // namespace cove::detail
