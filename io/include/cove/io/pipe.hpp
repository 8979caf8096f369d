#pragma once

#include <cove/io/detail/transfer.hpp>
#include <cove/runtime/detail/moment.hpp>

#include <string_view>

namespace cove::io {

/// How a FIFO is opened.
struct fifo_options {
  /// Outlives the other side: a reader sees no end when the last writer closes, and waits for the
  /// next one; a writer can open before anybody reads, and gets no broken_pipe. It is opened for
  /// both directions for that (fifo(7)), so it needs the permissions of both.
  bool resilient = false;
};

/// What both ends of a pipe or FIFO have. Not to be made by itself.
class pipe_end {
 public:
  /// Gives the descriptor out of the runtime: open, blocking, and the caller's to close. The object
  /// is closed then.
  /// Errors: thrown; operation_in_progress while something uses it; errc::closed.
  int release();

  /// Ends when the operation on it has left, with errc::closed, and the descriptor was given back.
  /// What was written can still be read at the other end. Gives a zero code, or errc::closed if it
  /// was closed before.
  /// Cancellation: none; a request stays for the next await.
  cove::detail::close_awaiter close() noexcept { return cove::detail::close_awaiter(pipe_); }
  bool is_closed() const noexcept { return pipe_.is_closed(); }

  /// How many bytes the pipe holds; 65536 by default.
  /// Errors: thrown; errc::closed.
  std::size_t capacity() const;
  /// Makes room for at least so many bytes; capacity() tells how many it has become.
  /// Errors: thrown; invalid_argument for 0 and what is out of range; operation_not_permitted above
  ///         the system's limit (/proc/sys/fs/pipe-max-size); device_or_resource_busy for less than
  ///         it holds now.
  void set_capacity(std::size_t bytes);

  /// Calls `call(fd)` with the system's descriptor, which stays this pipe's until it has returned,
  /// and gives what it gives. It must not wait, nor close the number.
  /// Errors:  thrown: errc::closed; what `call` throws.
  /// Threads: any, beside everything else.
  template <class Call>
  auto with_native_handle(Call call) {
    const cove::detail::descriptor_hold held(pipe_);
    if (!held) cove::detail::throw_stopped(cove::detail::stop_reason::closed, "with_native_handle");
    return call(held.fd());
  }
  /// The system's descriptor, for reports; -1 once closed. Do not close it.
  int native_handle() const noexcept { return pipe_.number(); }

  /// Not for users: what copy() hands to the kernel.
  cove::detail::descriptor* kernel_end() noexcept { return &pipe_; }

 protected:
  pipe_end() noexcept = default;
  /// Takes over an end of a pipe, non-blocking.
  explicit pipe_end(cove::detail::descriptor pipe) noexcept : pipe_(std::move(pipe)) {}
  pipe_end(pipe_end&&) noexcept = default;
  pipe_end& operator=(pipe_end&&) noexcept = default;
  ~pipe_end() = default;

  mutable cove::detail::descriptor pipe_;
};

/// The end of a pipe or FIFO that is read.
///
///     auto [reader, writer] = cove::io::make_pipe();
///     co_await writer.write_all(cove::io::bytes_of("hello"));
///     co_await writer.close();
///     std::array<std::byte, 64> buffer;
///     while (std::size_t n = co_await reader.read_some(buffer)) use(std::span(buffer).first(n));
///
/// Every operation, unless it says otherwise:
/// Errors:       those of the system; errc::closed once it was closed on this side;
///               errc::operation_in_progress while another task uses it; errc::wrong_runtime if it
///               was first awaited on in another runtime; errc::descriptor_too_high where the
///               backend is select and the process has a thousand descriptors open. A transfer's
///               error tells how many bytes had moved. `.as_result()` reports instead of throwing.
/// Cancellation: safe. The operation ends with canceled or deadline_exceeded and tells what it had
///               moved; no byte is lost and none is seen twice.
/// Threads:      one task uses it at a time; any task may close. Moving and destroying the object
///               is for one thread at a time.
/// Lifetime:     buffers must outlive the await. The object must outlive the start of an operation;
///               destroying it later ends its operations with errc::closed.
/// Source:       pipe(7), fifo(7).
class pipe_reader : public pipe_end {
 public:
  /// Closed: every operation reports errc::closed.
  pipe_reader() noexcept = default;

  /// Opens a FIFO, and does not wait for a writer: the first read does. Once a writer has come, the
  /// stream ends when the last one has gone; open again for the next, or see fifo_options.
  /// Errors: thrown, naming the path: no_such_file_or_directory and the like; invalid_argument for
  ///         what is no FIFO.
  /// Source: fifo(7).
  static pipe_reader open(std::string_view path, const fifo_options& options = {});
  /// Takes over the reading end of a pipe or FIFO, which it will close. Makes it non-blocking, and
  /// so for everybody who shares what was opened (a parent, a child, a dup); release() takes that
  /// back. Programs that are started do not inherit it. It must belong to nobody else.
  /// Errors: thrown, naming the descriptor and what it is; then it stays the caller's. It is
  ///         invalid_argument for what is no pipe, or is open for writing only.
  static pipe_reader adopt(int fd);

  /// Reads at least one byte, at most `buffer.size()`. 0 means that the last writer has closed,
  /// now and ever after.
  /// Errors: invalid_argument for an empty buffer.
  detail::count_operation read_some(std::span<std::byte> buffer) noexcept;
  /// Reads into several buffers, filling them in order.
  /// Lifetime: the array of buffers must outlive the await, too.
  detail::count_operation read_some(std::span<const mutable_buffer> buffers) noexcept;
  /// Reads until `buffer` is full.
  /// Errors: errc::unexpected_end if the stream ends before, even at once.
  detail::whole_operation read_exact(std::span<std::byte> buffer) noexcept;
  /// Reads into a buffer of the runtime's and lends it; an empty lease means the end.
  /// Errors: not_enough_memory.
  detail::lease_operation receive() noexcept;
  /// Completes when a read would not have to wait: there are bytes, the end, or an error. Gives
  /// what is so then: `hung_up` if nobody writes any more.
  detail::ready_operation wait_readable() noexcept;
  /// Reads what is there, from any thread. The error is operation_would_block if that is nothing.
  io_result try_read(std::span<std::byte> buffer) noexcept;

  /// From `when` on every read fails with errc::deadline_exceeded, the one that waits then and each
  /// later one; as tcp_stream::set_read_deadline().
  /// Errors:  thrown; errc::closed, not_enough_memory the first time.
  /// Threads: any, also while others read.
  template <cove::detail::moment Moment>
  void set_read_deadline(Moment when) {
    set_deadline_ns(cove::detail::nanoseconds_of(when));
  }

  /// Not for users: takes over the reading end of a pipe, non-blocking.
  explicit pipe_reader(cove::detail::descriptor pipe) noexcept : pipe_end(std::move(pipe)) {}

 private:
  void set_deadline_ns(std::int64_t when_ns);
};

/// The end of a pipe or FIFO that is written. What stands at pipe_reader holds here, too.
class pipe_writer : public pipe_end {
 public:
  /// Closed: every operation reports errc::closed.
  pipe_writer() noexcept = default;

  /// Opens a FIFO that somebody reads. To wait for a reader, try again later, or see fifo_options.
  /// Errors: thrown, naming the path: no_such_device_or_address (ENXIO) if nobody has it open for
  ///         reading; no_such_file_or_directory and the like; invalid_argument for what is no FIFO.
  /// Source: fifo(7).
  static pipe_writer open(std::string_view path, const fifo_options& options = {});
  /// As pipe_reader::adopt(), for a writing end.
  static pipe_writer adopt(int fd);

  /// Writes at least one byte, as many as the pipe takes at once. An empty buffer writes nothing.
  /// Errors: broken_pipe if nobody has it open for reading any more; the process gets no SIGPIPE.
  detail::count_operation write_some(std::span<const std::byte> buffer) noexcept;
  /// Writes from several buffers, in order.
  detail::count_operation write_some(std::span<const const_buffer> buffers) noexcept;
  /// Writes all of `buffer`. Bytes of several writers do not mix within the first 4096 (PIPE_BUF).
  detail::whole_operation write_all(std::span<const std::byte> buffer) noexcept;
  /// Writes all of several buffers, in order, however many.
  detail::whole_operation write_all(std::span<const const_buffer> buffers) noexcept;
  /// Completes when a write would not have to wait: there is room, or nobody reads any more. Gives
  /// what is so then: `failed` if nobody reads.
  detail::ready_operation wait_writable() noexcept;
  /// Writes what there is room for, from any thread. The error is operation_would_block if that is
  /// nothing.
  io_result try_write(std::span<const std::byte> buffer) noexcept;

  /// As pipe_reader::set_read_deadline(), for writes. A write of which a part was written says how
  /// much.
  template <cove::detail::moment Moment>
  void set_write_deadline(Moment when) {
    set_deadline_ns(cove::detail::nanoseconds_of(when));
  }

  /// Not for users: takes over the writing end of a pipe, non-blocking.
  explicit pipe_writer(cove::detail::descriptor pipe) noexcept : pipe_end(std::move(pipe)) {}

 private:
  void set_deadline_ns(std::int64_t when_ns);
};

/// What make_pipe() gives.
struct pipe_ends {
  pipe_reader reader;
  pipe_writer writer;
};

/// Makes a pipe; what is written at one end is read at the other. May be called outside of any
/// runtime.
/// Errors: thrown; too_many_files_open and the like.
/// Source: pipe(2).
pipe_ends make_pipe();

}  // namespace cove::io
