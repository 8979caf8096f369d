#pragma once

#include <cove/io/buffer.hpp>
#include <cove/io/detail/close_op.hpp>
#include <cove/io/detail/file_op.hpp>
#include <cove/io/detail/open_op.hpp>
#include <cove/io/file_status.hpp>
#include <cove/io/open_options.hpp>

#include <span>
#include <string_view>

namespace cove::io {

/// A file: bytes with a number each, on a disk or in the system's memory.
///
///     using cove::io::file;
///     file in = co_await file::open("data", cove::io::open_options{}.read());
///     std::array<std::byte, 4096> block;
///     while (std::size_t n = co_await in.read_some(block)) use(std::span(block).first(n));
///
/// No worker waits for a disk: what the system has in memory is read at once, where it can say that
/// it has it; else the call goes to a ring of the kernel's (backend io_uring) or to the file lane
/// of the pool. Pipes, sockets and terminals are not files: a call for these may never end.
///
/// There are operations at an offset, of which any number may be under way at once, and operations
/// at the file's cursor, one at a time. Offsets have 64 bits.
///
/// Every operation, unless it says otherwise:
/// Errors:       those of the system; errc::closed once the file was closed on this side;
///               errc::operation_in_progress while another task uses the cursor. A transfer's error
///               tells how many bytes had moved, and names the path. `.as_result()` reports instead
///               of throwing.
/// Cancellation: an operation that has not begun is not made. One that has is waited for, and its
///               outcome is that of the await: no byte moves that is not told. A transfer of all
///               of a buffer stops after a part, and says how much it was.
/// Threads:      any tasks, of any runtime. Moving and destroying the object is for one thread at a
///               time.
/// Lifetime:     buffers must outlive the await. The file must outlive the start of an operation;
///               those that are under way when it is destroyed come to their end.
/// Units:        bytes.
class file {
 public:
  /// Not open: every operation reports errc::closed.
  file() noexcept = default;
  file(file&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  file& operator=(file&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  /// Never waits: closes on the pool, once the last operation has left; outside of tasks, here.
  ~file() { drop(); }

  /// Opens a file, close-on-exec from the first moment.
  /// Errors:       no_such_file_or_directory and the like, naming the path; invalid_argument,
  ///               before any call, for options that contradict one another and for a path with a
  ///               NUL inside.
  /// Cancellation: an open that has not begun is not made. One that has is waited for, and what it
  ///               opened is given; nothing stays open that nobody has. A file may have been made.
  /// Source:       open(2).
  static detail::open_operation open(std::string_view path,
                                     open_options options = open_options{}.read()) {
    return detail::open_operation(path, options);
  }

  /// Takes over a descriptor that was opened elsewhere; from here on it is the file's to close.
  /// Errors: thrown, and the number stays the caller's: bad_file_descriptor; invalid_argument for a
  ///         socket or a pipe; std::bad_alloc.
  static file adopt(int fd);
  /// Gives the descriptor back, open; the object is closed.
  /// Errors: thrown: errc::closed; errc::operation_in_progress while one is under way.
  int release();

  // ----- at an offset -----

  /// Reads at least one byte from `offset` on, at most as many as there is room for. 0 means that
  /// the file ends at or before `offset`.
  /// Errors: invalid_argument for an empty buffer or an offset below zero.
  /// Source: pread(2); preadv2(2) with RWF_NOWAIT.
  detail::moved_operation read_at(std::span<std::byte> buffer, std::int64_t offset) noexcept;
  /// Reads into several buffers, filling them in order.
  /// Lifetime: the array of buffers must outlive the await, too.
  detail::moved_operation read_at(std::span<const mutable_buffer> buffers,
                                  std::int64_t offset) noexcept;
  /// Reads until all of `buffer` is full.
  /// Errors: errc::unexpected_end if the file ends before.
  detail::all_moved_operation read_exact_at(std::span<std::byte> buffer,
                                            std::int64_t offset) noexcept;
  /// The same into several buffers, however many.
  detail::all_moved_operation read_exact_at(std::span<const mutable_buffer> buffers,
                                            std::int64_t offset) noexcept;

  /// Writes at least one byte from `offset` on, as many as the system takes at once: a disk that
  /// runs full takes a part. Behind the end of the file it leaves a hole, which reads as zeros.
  /// Errors: invalid_argument for an offset below zero, and for a file opened with append(), where
  ///         the system would not go by the offset; no_space_on_device, file_too_large, ...
  /// Source: pwrite(2).
  detail::moved_operation write_at(std::span<const std::byte> buffer, std::int64_t offset) noexcept;
  /// Writes from several buffers, in order.
  detail::moved_operation write_at(std::span<const const_buffer> buffers,
                                   std::int64_t offset) noexcept;
  /// Writes all of `buffer`.
  detail::all_moved_operation write_all_at(std::span<const std::byte> buffer,
                                           std::int64_t offset) noexcept;
  /// Writes all of several buffers, in order, however many.
  detail::all_moved_operation write_all_at(std::span<const const_buffer> buffers,
                                           std::int64_t offset) noexcept;

  // ----- at the cursor, which moves on by what was moved -----

  /// As read_at().
  detail::moved_operation read_some(std::span<std::byte> buffer) noexcept;
  detail::moved_operation read_some(std::span<const mutable_buffer> buffers) noexcept;
  /// As read_exact_at().
  detail::all_moved_operation read_exact(std::span<std::byte> buffer) noexcept;
  detail::all_moved_operation read_exact(std::span<const mutable_buffer> buffers) noexcept;
  /// As write_at(); a file opened with append() is written at its end.
  detail::moved_operation write_some(std::span<const std::byte> buffer) noexcept;
  detail::moved_operation write_some(std::span<const const_buffer> buffers) noexcept;
  /// As write_all_at().
  detail::all_moved_operation write_all(std::span<const std::byte> buffer) noexcept;
  detail::all_moved_operation write_all(std::span<const const_buffer> buffers) noexcept;

  /// Moves the cursor and gives where it stands, counted from the beginning.
  /// Errors: invalid_argument if that were below zero.
  /// Source: lseek(2).
  detail::position_operation seek(std::int64_t offset, seek_from from = seek_from::begin) noexcept;

  // ----- the file as a whole -----

  /// Ends when all that was written is on the disk, and all that the system keeps about the file.
  /// An error is told once, to whoever syncs first: what was written since the last sync may be
  /// lost then.
  /// Source: fsync(2).
  detail::done_operation sync() noexcept;
  /// The same without what is not needed to read it back, as its times. Source: fdatasync(2).
  detail::done_operation sync_data() noexcept;
  /// Cuts it, or extends it by a hole; the cursor stays. Source: ftruncate(2).
  detail::done_operation truncate(std::int64_t size) noexcept;
  /// What the system knows of it now. Source: statx(2).
  detail::status_operation stat() noexcept;

  /// Ends when every operation on the file has left and the descriptor was given back. From the
  /// start on new operations report errc::closed; those that are under way come to their end, but a
  /// transfer of a whole buffer stops after a part. Gives a zero code, errc::closed if it was
  /// closed before, or what the system says: on some file systems that a write was lost.
  /// Cancellation: none; a request stays for the next await.
  detail::close_operation close() noexcept { return detail::close_operation(state_); }

  /// Has it been closed or released on this side, or was it never open?
  bool is_closed() const noexcept { return state_ == nullptr || state_->is_closed(); }
  /// The system's descriptor, for reports; -1 once closed. It may be closed, and be another's, at
  /// any time. Do not close it.
  int native_handle() const noexcept { return is_closed() ? -1 : state_->fd; }

  /// Not for users: what copy() hands to the kernel.
  detail::file_state* kernel_file() const noexcept { return state_; }
  /// Not for users.
  explicit file(detail::file_state* state) noexcept : state_(state) {}

 private:
  void drop() noexcept {
    if (state_ != nullptr) std::exchange(state_, nullptr)->drop();
  }

  detail::file_state* state_ = nullptr;
};

}  // namespace cove::io
