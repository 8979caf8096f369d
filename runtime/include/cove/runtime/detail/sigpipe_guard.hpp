#pragma once

namespace cove::detail {

/// While this lives, a write to a pipe that nobody reads gives this thread EPIPE and no signal.
/// For system calls that cannot be told so: splice, tee, and write on older kernels.
///
/// It leaves the process's disposition and everybody else's signals alone: SIGPIPE is blocked for
/// the calling thread, one that came meanwhile is taken away, and the mask is what it was. Two
/// system calls where none came, so it is not for where it can be avoided.
class sigpipe_guard {
 public:
  sigpipe_guard() noexcept;
  sigpipe_guard(const sigpipe_guard&) = delete;
  sigpipe_guard& operator=(const sigpipe_guard&) = delete;
  ~sigpipe_guard();

  /// A call has given EPIPE, or fewer bytes than it was given: only then there may be a signal to
  /// be taken away. One that breaks after some bytes gives their number, and the signal besides.
  void broke() noexcept { broke_ = true; }

 private:
  bool blocked_before_ = false;
  bool pending_before_ = false;
  bool broke_ = false;
};

}  // namespace cove::detail
