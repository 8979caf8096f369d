#pragma once

#include <cove/runtime/result.hpp>

#include <optional>

// The terminal of a program that draws on it or reads single keys.

namespace cove::io {

/// In characters.
struct terminal_size {
  unsigned columns = 0;
  unsigned rows = 0;
  bool operator==(const terminal_size&) const = default;
};

/// The size of the terminal behind descriptor `fd`; nothing if it is no terminal, or has no size.
/// Whoever wants to know when it changes waits for SIGWINCH:
///
///     cove::io::signal_set resized(SIGWINCH);
///     for (;;) {
///       draw(cove::io::size_of_terminal(1));
///       co_await resized.wait();
///     }
///
/// Threads: any.
/// Source:  ioctl_tty(2), TIOCGWINSZ.
std::optional<terminal_size> size_of_terminal(int fd = 1) noexcept;

/// While it lives, the terminal gives each key at once and as it is: no echo, no line to be edited,
/// no signals for Ctrl-C and its like, which are bytes then. Output is taken as it is, too: a new
/// line needs "\r\n".
///
///     const cove::io::raw_terminal keys;
///     auto in = cove::io::standard_input();
///     while (co_await in.read_some(one)) ...
///
/// The terminal is what it was before when this is destroyed; if that does not happen, when the
/// program ends by std::exit() or by returning from main. A program that a signal ends, or _exit(),
/// leaves it as it is: wait for SIGTERM with a signal_set. A program that is stopped and goes on
/// (SIGTSTP, SIGCONT) calls again().
///
/// Threads:  one at a time for one object.
/// Lifetime: the descriptor must stay open.
/// Source:   termios(3), cfmakeraw.
class raw_terminal {
 public:
  /// Errors: thrown, naming the descriptor: inappropriate_io_control_operation (ENOTTY) for what is
  ///         no terminal; device_or_resource_busy if there is a raw_terminal for it already.
  explicit raw_terminal(int fd = 0);
  raw_terminal(const raw_terminal&) = delete;
  raw_terminal& operator=(const raw_terminal&) = delete;
  ~raw_terminal() { restore(); }

  /// The terminal as it was; a second call does nothing.
  void restore() noexcept;
  /// Raw once more, after somebody else has changed it.
  void again() noexcept;

 private:
  int slot_;  ///< Where the process keeps what it was before; -1 once it was restored.
};

}  // namespace cove::io
