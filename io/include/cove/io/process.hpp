#pragma once

#include <cove/io/command.hpp>
#include <cove/io/pipe.hpp>
#include <cove/runtime/task.hpp>

#include <optional>
#include <string>

namespace cove::io {

namespace detail {

class child;

/// A share of what is known of a child; io/process_child.hpp.
class child_ref {
 public:
  child_ref() noexcept = default;
  /// Takes over the share that its maker has.
  explicit child_ref(child* made) noexcept : to_(made) {}
  child_ref(const child_ref& other) noexcept;
  child_ref(child_ref&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
  child_ref& operator=(child_ref other) noexcept {
    std::swap(to_, other.to_);
    return *this;
  }
  ~child_ref();

  explicit operator bool() const noexcept { return to_ != nullptr; }
  child* operator->() const noexcept { return to_; }

 private:
  child* to_ = nullptr;
};

struct launched;

}  // namespace detail

/// How a process ended.
struct exit_status {
  int code = 0;              ///< What it gave to exit(), 0 to 255; -1 if a signal ended it.
  int signal = 0;            ///< The signal that ended it; 0 if none did.
  bool core_dumped = false;  ///< The signal left a core dump.

  /// Did it end by itself, with code 0?
  bool success() const noexcept { return code == 0; }
  friend bool operator==(const exit_status&, const exit_status&) = default;
};

/// For people: "exit code 1", "signal 9 (SIGKILL)".
std::string to_string(const exit_status& status);

/// What process::output gives.
struct process_output {
  exit_status status;
  std::string out;  ///< What it wrote to its output,
  std::string err;  ///< and to its errors.
};

/// A process that this one has started.
///
///     cove::io::command list("ls", "-l", "/usr");
///     list.output = cove::io::stdio::pipe();
///     cove::io::process child = co_await cove::io::process::spawn(std::move(list));
///     std::array<std::byte, 4096> buffer;
///     while (std::size_t n = co_await child.out().read_some(buffer))
///       show(std::span(buffer).first(n));
///     cove::io::exit_status ended = co_await child.wait();
///
/// Dropping it kills the child with SIGKILL, unless command::kill_on_drop is off or it has ended.
/// Either way the runtime sees to it that no zombie stays: a task of its own waits for the child's
/// end. It waits for one that was killed even while the runtime stops; one that goes on is left
/// alone then, and is a zombie from its end to the end of this process. Outside of tasks the
/// destructor itself waits for a child that it has killed.
///
/// Under virtual time (cove::test::run) time stands while a child is waited for.
///
/// Other children of this process are never waited for, and SIGCHLD stays what it is. If it is
/// ignored, or somebody waits for all children (`waitpid(-1, ...)`), statuses are lost to wait().
///
/// Threads:  wait, signal and kill may be called by any number of tasks and threads. Moving and
///           destroying is for one thread at a time.
/// Lifetime: waits under way do not need it: they go on, and give how the child ended. A child made
///           by fork() must leave it alone.
/// Source:   clone(2), pidfd_open(2), waitid(2); CLONE_VFORK as posix_spawn(3).
class process {
 public:
  /// None: waiting fails with no_child_process.
  process() noexcept = default;
  process(process&&) noexcept = default;
  process& operator=(process&& other) noexcept;
  ~process();

  /// Starts a program, and completes when it runs: one that cannot be started fails here. Signals
  /// do in it what they do by default and none is blocked; it has no descriptors but those that the
  /// command names.
  /// Errors:       no_such_file_or_directory, permission_denied and all that the system says of
  ///               program, directory and files; invalid_argument for a NUL byte, an empty name and
  ///               the like. Nothing was started then, and nothing is left of it.
  /// Cancellation: one that waits for a thread of the pool starts nothing; later it is started, and
  ///               the await succeeds.
  static task<process> spawn(command what);

  /// Runs a program to its end, gives it `input` to read, and collects what it writes to output and
  /// errors. What the command says of these three is left alone only if it says that errors are
  /// same_as_output(), and if there is no input.
  ///
  ///     auto [status, out, err] = co_await cove::io::process::output(
  ///         cove::io::command("git", "rev-parse", "HEAD"), 1000);
  ///
  /// A program that does not read all of its input is no error. Ends when it has ended and nobody
  /// has the other ends of the pipes any more: a process that it has started and left may.
  /// Errors:       those of spawn(); value_too_large if it writes more than `most` bytes to either:
  ///               then it was killed.
  /// Cancellation: the program is killed, and waited for; what it wrote is lost.
  /// Units:        `most` in bytes, for output and errors each.
  static task<process_output> output(command what, std::size_t most, std::string input = {});

  /// Its number, for reports; 0 for none. Once it has ended the number may be another one's: send
  /// signals by signal().
  int pid() const noexcept;

  /// The other ends of pipes that the command asked for; where it did not they are closed. They may
  /// be moved out. A child that reads its input to the end needs in() to be closed.
  pipe_writer& in() noexcept { return in_; }
  pipe_reader& out() noexcept { return out_; }
  pipe_reader& err() noexcept { return err_; }

  /// Waits until it has ended. Every wait gives the same, however many there are and however late.
  /// It does nothing to the pipes: a child whose output nobody reads may never end.
  /// Errors:       no_child_process if somebody else has taken its status; errc::wrong_runtime if
  ///               it was first awaited on in another runtime; descriptor_too_high under select.
  /// Cancellation: safe. The child goes on, and may be waited for again.
  task<exit_status> wait();
  /// How it ended, if it has. Errors: thrown; no_child_process.
  std::optional<exit_status> try_wait();

  /// Sends it a signal: never to another process, however late.
  /// Errors: thrown; no_such_process if it has ended, invalid_argument for what is no signal,
  ///         operation_not_permitted if it has changed its user.
  void signal(int number);
  /// Sends SIGKILL. False if it had ended.
  bool kill() noexcept;

 private:
  explicit process(detail::launched made) noexcept;
  void drop() noexcept;

  detail::child_ref child_;
  pipe_writer in_;
  pipe_reader out_;
  pipe_reader err_;
};

}  // namespace cove::io
