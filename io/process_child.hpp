#pragma once

#include <cove/io/process.hpp>
#include <cove/runtime/detail/descriptor.hpp>

#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>

// A child of this process from its start until its status was taken, and who may do what with its
// number.
//
// The problem. A number names a process only until its parent has taken its status (reaped it);
// from then on it may be another one's. A process whose status nobody takes stays as a zombie. The
// status is given once, so two who want it must share it, and whoever takes those of all children
// (waitpid(-1), or a handler of SIGCHLD that does) takes them from others, too.
//
// So nothing is asked of SIGCHLD, only our own children are ever waited for, each by its own name,
// and what is known of one stands in a record that all share who deal with it:
//
//   running -> ended   look() took its status, under the lock
//   running -> lost    look() heard that somebody else has taken it: the host ignores SIGCHLD, or
//                      waits for all children
// `ended` and `lost` are final. A signal is sent under the same lock, and only while it is running:
// the number cannot become another one's meanwhile. Where there is a pidfd it names the process in
// place of the number, and even who takes the statuses of others cannot make us hit a stranger.
//
// Who has the record, by reference
//   the process object   until it goes (dropped): then, if the command says so, it has been killed
//   each wait            that is under way; it goes on after the object has gone
//   the reaper           of a child that was dropped while it ran; see process.cpp
// The last one closes what it owns: `end`, one descriptor that becomes readable when the process
// has ended and stays so. It is the pidfd, made by the clone that made the process; where the
// kernel is too old for that (5.4 has all of it) or a filter denies it, a pipe, whose other end a
// thread of the child's own has, which waits for the process to end, without taking the status, and
// writes a byte. look() asks for the status only when that is there: so the number is still good
// when the thread asks by it. It is no thread of the pool: it would be missing there for as long as
// the child lives, and hold up the end of the runtime.

namespace cove::io::detail {

/// Private contract of this room, a file a platform.
class child {
 public:
  /// A process that was just made and whose status nobody took yet. `pidfd` is its own, or -1.
  /// Null, with errno, if the system has no means left to wait for it: it is still the caller's.
  static child_ref adopt(int pid, cove::detail::descriptor pidfd, bool kill_on_drop);
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  int pid() const noexcept { return pid_; }
  bool kill_on_drop() const noexcept { return kill_on_drop_; }

  enum class state : std::uint8_t { running, ended, lost };

  /// What it is now, and its status once it has ended. Does not wait. Any thread.
  state look(exit_status& status) noexcept;
  /// Sends a signal. no_such_process if it has ended. Any thread.
  std::error_code send(int number) noexcept;
  /// Waits on this thread until it has ended.
  void wait_here() noexcept;

  /// Readable once it has ended, for good.
  cove::detail::descriptor& end() noexcept { return end_; }
  /// Another one of the same, closed if the system has none left.
  cove::detail::descriptor second_end() noexcept;

 private:
  friend class child_ref;

  child(int pid, bool kill_on_drop) noexcept : pid_(pid), kill_on_drop_(kill_on_drop) {}
  ~child();

  /// False, with errno: the system has no thread or descriptor left.
  bool watch_by_thread() noexcept;
  state look_locked() noexcept;
  bool has_end_come() noexcept;

  // Constant once it was adopted.
  const int pid_;
  const bool kill_on_drop_;
  bool has_pidfd_ = false;  ///< `end_` is one.
  cove::detail::descriptor end_;
  std::thread watcher_;  ///< Where there is no pidfd.
  /// Who has it. Counts up relaxed, by who has it; acq_rel down: the last one sees what others did.
  std::atomic<unsigned> held_{1};

  std::mutex lock_;
  // Under it.
  state state_ = state::running;
  exit_status status_;  ///< `ended` only.
};

}  // namespace cove::io::detail
