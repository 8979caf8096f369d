#pragma once

#include <cove/io/detail/transfer.hpp>

#include <array>
#include <concepts>

namespace cove::io {

namespace detail {

/// What a set and the signal handler share; the protocol stands in signal_registry_posix.cpp.
struct signal_inbox {
  // Constant while it is subscribed.
  std::uint64_t named = 0;  ///< Bit n - 1: the set names signal n.
  int bell = -1;            ///< Where the handler writes; the set reads at the other end.
  int process = 0;          ///< Who subscribed; a forked child has only a copy of it.
  // Under the registry's lock.
  std::uint64_t pending = 0;  ///< Bit n - 1: signal n was written, and not taken yet.
  signal_inbox* next = nullptr;
};

class signal_wait_result;

/// `co_await signals.wait()`.
class [[nodiscard]] signal_wait : public io_awaiter {
 public:
  signal_wait(cove::detail::descriptor& from, signal_inbox& inbox) noexcept
      : io_awaiter(from, io_kind::read), inbox_(&inbox) {
    name = "signal";
  }
  signal_wait(signal_wait&&) noexcept = default;

  bool await_ready() noexcept {
    buffer = &number_;
    size = sizeof number_;
    return io_awaiter::await_ready();
  }
  int await_resume() {
    io_leave(*this);
    if (failed()) throw_failure();
    return take();
  }
  /// Gives a result<int>, and does not throw.
  inline signal_wait_result as_result() && noexcept;

 protected:
  [[noreturn]] void throw_failure() const;
  int take() noexcept;

 private:
  signal_inbox* inbox_;
  unsigned char number_ = 0;
};

class [[nodiscard]] signal_wait_result : public signal_wait {
 public:
  explicit signal_wait_result(signal_wait&& from) noexcept : signal_wait(std::move(from)) {}

  cove::result<int> await_resume() noexcept {
    io_leave(*this);
    if (failed()) return io_outcome(*this);
    return take();
  }
};

inline signal_wait_result signal_wait::as_result() && noexcept {
  return signal_wait_result(std::move(*this));
}

}  // namespace detail

/// Signals that tasks wait for, in place of what they would do to the process.
///
///     cove::io::signal_set signals(SIGINT, SIGTERM);   // <csignal> has the names
///     int which = co_await signals.wait();
///
/// While a set that names a signal exists, the signal has no other effect; when the last one goes,
/// what was before is restored, and no signal falls between: one that came and was waited for in
/// none of the sets happens then, as if it had come a moment later. So a set that goes when the
/// program begins to end lets the second Ctrl-C end it at once.
///
/// Every set that names a signal gets it, in any runtime. Signals are kept until somebody waits, in
/// the order in which they came. Like the system's, they do not add up: one that comes again
/// before a wait gave it is one. No other signal is touched, SIGPIPE included.
///
/// Threads:  one task waits at a time; a second one fails with operation_in_progress. Sets may be
///           made and destroyed on any thread, inside and outside of tasks.
/// Lifetime: must outlive its waits. A child made by fork() inherits no set: signals do there what
///           they did before.
/// Source:   sigaction(2), signal-safety(7).
class signal_set {
 public:
  /// Errors: invalid_argument for no signal at all, a number that is none, and those that nobody
  ///         can wait for: SIGKILL and SIGSTOP, and SIGSEGV, SIGBUS, SIGFPE and SIGILL, which a
  ///         thread brings upon itself and must not survive; too_many_files_open and the like.
  template <std::same_as<int>... More>
  explicit signal_set(int signal, More... more)
      : signal_set(std::span<const int>(std::array{signal, more...})) {}
  explicit signal_set(std::span<const int> signals);
  signal_set(const signal_set&) = delete;
  signal_set& operator=(const signal_set&) = delete;
  ~signal_set();

  /// Waits for one of the signals, and gives its number.
  /// Errors:       operation_in_progress; errc::wrong_runtime if it was first awaited on in another
  ///               runtime. `wait().as_result()` reports these in place of a throw.
  /// Cancellation: canceled or deadline_exceeded. No signal is lost: one that had come for this
  ///               wait is what it gives, any other stays for the next wait.
  detail::signal_wait wait() noexcept { return {socket_, inbox_}; }

 private:
  cove::detail::descriptor socket_;
  detail::signal_inbox inbox_;
};

}  // namespace cove::io
