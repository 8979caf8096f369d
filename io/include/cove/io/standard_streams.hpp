#pragma once

#include <cove/io/detail/transfer.hpp>
#include <cove/io/transfer.hpp>

// Standard input, output and error of the program, as streams that nobody is held up by.
//
// What they are is decided by whoever started the program, and is often shared with him: a shell
// and all that it has started have one terminal open, and "non-blocking" is a property of what is
// open, not of the number. So these streams never change it. What is done instead depends on what
// is there:
//
//   pipe, terminal   opened once more, under /proc/self/fd: that is non-blocking for cove alone
//                    If that is not allowed (another user's terminal), or nobody reads the pipe any
//                    more, it is used as it is, with calls that are told not to wait
//                    (RWF_NOWAIT), or, where the kernel cannot, only when poll(2) says that there
//                    is something; then a program that shares the terminal and is quicker can make
//                    a worker wait for the next line
//   socket           used as it is, with calls that are told not to wait
//   file, /dev/null  can always be read and written: calls of the pool's lane for files, which go
//                    by the position that all have who share the file
//   closed           standard_input() and the like report bad_file_descriptor. What cove opens for
//                    itself never takes the number; the next file that the program opens does
//
// Nothing of that holds up the end of the program: a wait for input or for a slow reader is
// cancelled like any other, and no thread sits in a read of a terminal. What was written is in the
// hands of the system when the write has ended; nothing is buffered here.

namespace cove::io {

namespace detail {

/// One of the three, as it was found.
struct standard_stream {
  cove::detail::descriptor own;  ///< A number of its own, so that 0, 1 and 2 stay open.
  int number = -1;               ///< Whose calls are the pool's: nobody closes it under them.
  bool waits = false;            ///< Can be waited for; else its calls are the pool's.
  bool terminal = false;
};

}  // namespace detail

/// Where a program reads from. Made by standard_input().
///
///     auto in = cove::io::standard_input();
///     while (std::size_t n = co_await in.read_some(buffer)) ...
///
/// Threads:  one task reads at a time; any task may close.
/// Lifetime: must outlive its operations.
/// Units:    bytes.
/// Source:   read(2), preadv2(2).
class input_stream {
 public:
  /// Closed: every operation reports errc::closed.
  input_stream() noexcept = default;

  /// Reads at least one byte, at most `buffer.size()`; of a terminal a line, as a rule. 0 means the
  /// end; of a terminal that is Ctrl-D, and every later read gives it, too.
  /// Errors:       those of the system; invalid_argument for an empty buffer; errc::closed;
  ///               operation_in_progress while another task reads. as_result() reports.
  /// Cancellation: safe; no byte is lost. Of a file, a read that has begun is waited for.
  transfer<std::size_t> read_some(std::span<std::byte> buffer);

  /// Ends what is under way with errc::closed. Descriptor 0 of the process stays as it is.
  cove::detail::close_awaiter close() noexcept { return cove::detail::close_awaiter(from_.own); }
  bool is_closed() const noexcept { return from_.own.is_closed(); }
  bool is_terminal() const noexcept { return from_.terminal; }

  /// Not for users.
  explicit input_stream(detail::standard_stream from) noexcept : from_(std::move(from)) {}

 private:
  task<transfer_outcome> read(std::span<std::byte> buffer);

  detail::standard_stream from_;
};

/// Where a program writes to. Made by standard_output() and standard_error(). Whoever reads a pipe
/// sees its end when this is closed and descriptor 1 (or 2) of the process is, too.
///
/// Threads:  one task writes at a time; any task may close.
/// Lifetime: must outlive its operations.
/// Units:    bytes.
/// Source:   write(2), pwritev2(2).
class output_stream {
 public:
  /// Closed: every operation reports errc::closed.
  output_stream() noexcept = default;

  /// Writes at least one byte, as many as the system takes at once. An empty buffer writes nothing.
  /// Errors:       broken_pipe if nobody reads any more, and the process gets no SIGPIPE; those of
  ///               the system; errc::closed; operation_in_progress while another task writes.
  ///               as_result() reports.
  /// Cancellation: safe; the count tells what was written. To a file, a write that has begun is
  ///               waited for.
  transfer<std::size_t> write_some(std::span<const std::byte> buffer);
  /// Writes all of `buffer`.
  transfer<void> write_all(std::span<const std::byte> buffer);

  /// As input_stream::close().
  cove::detail::close_awaiter close() noexcept { return cove::detail::close_awaiter(to_.own); }
  bool is_closed() const noexcept { return to_.own.is_closed(); }
  bool is_terminal() const noexcept { return to_.terminal; }

  /// Not for users.
  explicit output_stream(detail::standard_stream to) noexcept : to_(std::move(to)) {}

 private:
  task<transfer_outcome> write(std::span<const std::byte> buffer, bool all);

  detail::standard_stream to_;
};

/// What the process's descriptor 0 is now. Each call gives a stream of its own; two that read the
/// same take each other's bytes. May be called outside of any runtime.
/// Errors:  thrown; bad_file_descriptor if it is closed, or not open for reading;
///          too_many_files_open and the like.
/// Threads: any.
/// Source:  stdin(3); proc_pid_fd(5), through which a pipe or terminal is opened once more.
input_stream standard_input();
/// The same for 1 and 2.
output_stream standard_output();
output_stream standard_error();

}  // namespace cove::io
