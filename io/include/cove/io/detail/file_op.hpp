#pragma once

#include <cove/io/detail/file_state.hpp>
#include <cove/io/detail/offloaded.hpp>
#include <cove/io/file_status.hpp>
#include <cove/runtime/detail/io_op.hpp>
#include <cove/runtime/result.hpp>

// An operation on an open file, from its start to its result.
//
//   1. What makes no sense, an offset below zero say, is the result, without a call.
//   2. It enters the file (file_state.hpp): closed, or another one has the cursor: that is it.
//   3. Its task was asked to end, or is past its deadline: that is it.
//   4. A read of no more than `cached_most` is tried at once, on the worker: preadv2(RWF_NOWAIT)
//      gives what the kernel has in memory, or says that it would have to wait. A file system that
//      cannot say so is remembered in the file. A part is a result; an exact read goes back to 3
//      for the rest. Reads of more are not tried: copying that much holds up the worker longer
//      than the way to the pool takes.
//   5. It goes to a ring or to the pool (offloaded.hpp), and the task parks.
//   6. The answer comes. A whole transfer that wants more goes back to 3; on the pool it goes on
//      right there, `piece_most` bytes at a time, and stops between two if it was asked to end.
//   7. It leaves the file when its result is taken.
// A spent budget gives way between 2 and 3.

namespace cove::io {

/// Where file::seek() counts from.
enum class seek_from : std::uint8_t { begin, current, end };

namespace detail {

struct transfer_piece;

/// What is asked of a file.
enum class file_verb : std::uint8_t { read, write, sync, sync_data, truncate, stat, seek };

class file_op : public offloaded {
 public:
  file_op(file_state* on, file_verb what, const char* verb) noexcept
      : offloaded(work, moves, verb),
        file_(on),
        verb_(what),
        cursor_(transfers() || what == file_verb::seek) {}
  /// Before its start only.
  file_op(file_op&& other) noexcept;
  ~file_op() { leave(); }

  bool await_ready() noexcept;

  bool failed() const noexcept {
    return error_ != 0 || stopped_ != stop_reason::none || wrong_ != fault::none || is_refused();
  }
  /// What it reports; a zero code for success.
  std::error_code outcome() const noexcept;
  [[noreturn]] void fail() const { fail_as(name, transferred_); }
  /// The same, as a part of something larger that has moved so much.
  [[noreturn]] void fail_as(const char* verb, std::size_t moved) const;
  void leave() noexcept {
    if (std::exchange(inside_, false)) file_->leave(cursor_);
  }

  // ----- before its start: what is wanted -----

  void of_bytes(void* data, std::size_t size) noexcept {
    data_ = data;
    size_ = left_ = size;
  }
  void of_buffers(const cove::detail::io_vec* first, std::size_t count) noexcept;
  void at(std::int64_t offset) noexcept {
    cursor_ = false;
    offset_ = offset;
    if (offset < 0)
      wrong_ = fault::negative_offset;
    else if (verb_ == file_verb::write && file_ != nullptr && file_->can.appends)
      wrong_ = fault::appends;
  }
  void wholly() noexcept { whole_ = true; }
  void to_size(std::int64_t size) noexcept;
  void to_position(std::int64_t offset, seek_from from) noexcept;
  /// 0 always means the end, so there is no answer to an empty read.
  void check_transfer() noexcept {
    if (wrong_ == fault::none && verb_ == file_verb::read && !whole_ && left_ == 0)
      wrong_ = fault::empty_buffer;
  }

  // ----- afterwards: what came of it -----

  std::size_t transferred() const noexcept { return transferred_; }
  std::int64_t position() const noexcept { return offset_; }

 protected:
  /// stat: where the answer goes.
  void into(file_status& status) noexcept { data_ = &status; }

 private:
  friend struct file_moves;

  /// What was wrong with it, if no call was to blame.
  enum class fault : std::uint8_t {
    none,
    busy,
    unexpected_end,
    empty_buffer,
    negative_offset,
    negative_size,
    appends,
    stuck,  ///< A write that moved nothing.
  };
  enum class step : std::uint8_t { final, more, waits };

  static void run(cove::pool::job& which) noexcept;
  static const cove::pool::job_type work;
  static const cove::detail::operation_type moves;

  bool transfers() const noexcept { return verb_ == file_verb::read || verb_ == file_verb::write; }
  bool must_end(task_ctl& task) noexcept;
  step try_once() noexcept;
  bool try_here(task_ctl& task) noexcept;
  void fill_ring() noexcept;
  transfer_piece next_piece(std::size_t most) noexcept;
  std::int64_t call() noexcept;
  step book(std::int64_t outcome) noexcept;
  step consume(std::size_t moved) noexcept;
  std::string describe(const char* verb) const;
  std::string remedy() const;

  file_state* file_;
  file_verb verb_;
  bool whole_ = false;       ///< Goes on until all has moved.
  bool cursor_ = false;      ///< At the cursor, and uses it.
  bool tried_ = false;       ///< Not without waiting.
  bool inside_ = false;      ///< Has entered the file.
  bool unfinished_ = false;  ///< Stopped between two pieces, on the pool.
  bool ringless_ = false;    ///< A ring said that it cannot.
  bool vectored_ = false;
  seek_from from_ = seek_from::begin;
  fault wrong_ = fault::none;
  int error_ = 0;

  union {
    void* data_ = nullptr;             ///< The bytes that are next,
    const cove::detail::io_vec* vec_;  ///< or the buffers.
  };
  std::size_t size_ = 0;        ///< How many bytes, or buffers.
  std::size_t vec_offset_ = 0;  ///< The first buffer from here on.
  std::size_t left_ = 0;        ///< Bytes in all that have not moved.
  std::size_t transferred_ = 0;
  std::int64_t offset_ =
      0;  ///< In the file; seek: by how far, and where it went. truncate: the size.
};

/// The one that has an answer of many words.
class status_op : public file_op {
 public:
  using file_op::file_op;
  status_op(status_op&&) noexcept = default;

  bool await_ready() noexcept {
    into(status_);
    return file_op::await_ready();
  }
  const file_status& status() const noexcept { return status_; }

 private:
  file_status status_;
};

// ----- what an operation gives: `value` from co_await, `reported` from as_result() -----

struct gives_moved {
  using operation = file_op;
  using value = std::size_t;
  using reported = io_result;
  static value take(file_op& op) noexcept { return op.transferred(); }
  static reported report(file_op& op) noexcept { return {op.transferred(), op.outcome()}; }
};
struct gives_all_moved : gives_moved {
  using value = void;
  static void take(file_op&) noexcept {}
};
struct gives_done {
  using operation = file_op;
  using value = void;
  using reported = result<void>;
  static void take(file_op&) noexcept {}
  static reported report(file_op& op) noexcept { return op.outcome(); }
};
struct gives_position {
  using operation = file_op;
  using value = std::int64_t;
  using reported = result<std::int64_t>;
  static value take(file_op& op) noexcept { return op.position(); }
  static reported report(file_op& op) noexcept {
    if (const std::error_code why = op.outcome()) return why;
    return op.position();
  }
};
struct gives_status {
  using operation = status_op;
  using value = file_status;
  using reported = result<file_status>;
  static value take(status_op& op) noexcept { return op.status(); }
  static reported report(status_op& op) noexcept {
    if (const std::error_code why = op.outcome()) return why;
    return op.status();
  }
};

template <class Gives>
class file_result_operation;

/// `co_await operation` throws; `co_await operation.as_result()` reports.
template <class Gives>
class [[nodiscard]] file_operation : public Gives::operation {
  using base = typename Gives::operation;

 public:
  using base::base;
  file_operation(file_operation&&) noexcept = default;

  typename Gives::value await_resume() {
    if (this->failed()) this->fail();
    this->leave();
    return Gives::take(*this);
  }
  auto as_result() && noexcept { return file_result_operation<Gives>(std::move(*this)); }
};

template <class Gives>
class [[nodiscard]] file_result_operation : public Gives::operation {
  using base = typename Gives::operation;

 public:
  explicit file_result_operation(file_operation<Gives>&& from) noexcept : base(std::move(from)) {}
  file_result_operation(file_result_operation&&) noexcept = default;

  typename Gives::reported await_resume() noexcept {
    this->leave();
    return Gives::report(*this);
  }
};

using moved_operation = file_operation<gives_moved>;
using all_moved_operation = file_operation<gives_all_moved>;
using done_operation = file_operation<gives_done>;
using position_operation = file_operation<gives_position>;
using status_operation = file_operation<gives_status>;

}  // namespace detail
}  // namespace cove::io
