#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

namespace cove::detail {

/// Where a thread stood: the instruction that it was at, and each call that it was in, innermost
/// first.
struct native_stack {
  static constexpr std::size_t most_frames = 64;

  std::array<std::uintptr_t, most_frames> at{};
  std::size_t depth = 0;
};

/// What the system calls the calling thread, for capture().
int this_thread_number() noexcept;

/// The right to ask threads of this process where they stand. While one of these lives the process
/// handles one more signal: the first real-time signal with which the program does nothing. The
/// last one gives it back, if it is still ours.
///
/// What a thread notices of being asked is what every handled signal does to it. System calls that
/// the system goes on with after a handler (SA_RESTART: read, write, accept, connect, futexes
/// without a limit) go on. Those that it never goes on with end early, with EINTR: nanosleep and
/// usleep (not std::this_thread::sleep_for), poll, select, epoll_wait, sigwait, semop, and recv and
/// send on sockets with SO_RCVTIMEO or SO_SNDTIMEO. signal(7) has the list. Code that takes these
/// for failures must not be asked.
///
/// Errors: the constructor throws cove::error if the program uses every real-time signal.
/// Threads: any. Not for the child of a fork().
class native_stack_signal {
 public:
  native_stack_signal();
  native_stack_signal(const native_stack_signal&) = delete;
  native_stack_signal& operator=(const native_stack_signal&) = delete;
  ~native_stack_signal();

  /// The signal's number, for who wants to leave it alone.
  int number() const noexcept;

  /// Asks a thread and waits for its answer. One caller at a time; others wait for their turn.
  ///
  /// Errors: no_such_process: the thread has ended; timed_out: it did not answer within `limit_ns`,
  /// as it blocks all signals, or sleeps where no signal wakes it; device_or_resource_busy: one who
  /// was asked earlier is still on its way through the answer; operation_not_permitted: the program
  /// has meanwhile taken the signal for itself. `into` is written only without an error.
  std::error_code capture(int thread, std::int64_t limit_ns, native_stack& into) noexcept;
};

/// `  #0 nanosleep (libc.so.6+0xd1f43)` and so on, a line for each frame, down to the coroutine
/// that the worker had resumed: what lies below it is the scheduler's, and left out.
///
/// Functions of the program itself are named if it has a symbol table (it was not stripped), those
/// of shared libraries if they are exported. In any case `addr2line -Cfie MODULE 0xOFFSET` says
/// function and line, from the unstripped file or its separate debug information: offsets are those
/// of the file, and point into the call, not behind it.
///
/// It reads the program's file, and allocates: tens of milliseconds for a large program.
std::string describe(const native_stack& stack);

}  // namespace cove::detail
