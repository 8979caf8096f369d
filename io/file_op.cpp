#include <cove/io/detail/file_op.hpp>

#include "file_calls.hpp"
#include "file_status.hpp"

#include <algorithm>
#include <cerrno>

namespace cove::io::detail {

using cove::detail::glance;
using cove::detail::io_vec;
using cove::detail::operation;
using cove::detail::operation_type;
using cove::detail::ring_verb;

namespace {

/// What a worker copies itself; more takes some 20 µs, which is several ways to the pool and back.
constexpr std::size_t cached_most = std::size_t{256} << 10;
/// What a thread of the pool moves before it looks whether it is still wanted.
constexpr std::size_t piece_most = std::size_t{4} << 20;
/// More than the system takes at once goes with the next call.
constexpr std::size_t ring_most = std::size_t{1} << 30;

}  // namespace

struct file_moves {
  using task_ctl = cove::detail::task_ctl;
  using processor = cove::sched::processor;
  using stop_reason = cove::detail::stop_reason;

  static bool advance(operation& base, task_ctl& task, processor& p) noexcept {
    auto& op = static_cast<file_op&>(base);
    if (op.is_away()) {
      switch (op.collect(task, p)) {
        case file_op::answer::pending: return false;
        case file_op::answer::refused: return op.end_unrun();
        case file_op::answer::pool:
          if (op.unfinished_) op.stopped_ = op.cause;
          return true;
        case file_op::answer::ring:
          if (op.ring.result == -ECANCELED) op.stopped_ = op.cause;
          if (op.stopped_ != stop_reason::none) return true;
          op.ringless_ = op.ring.result == -EAGAIN || op.ring.result == -EOPNOTSUPP;
          if (op.ringless_) break;
          if (op.book(op.ring.result) == file_op::step::final) return true;
          op.tried_ = false;
          break;
      }
    }
    if (op.must_end(task) || op.try_here(task)) return true;
    op.fill_ring();
    return op.give_away(task, p) == file_op::answer::refused && op.end_unrun();
  }
};

// ----- what is wanted -----

const cove::pool::job_type file_op::work{run, hand_back};
const operation_type file_op::moves{"file", file_moves::advance, withdraw, refuse};

file_op::file_op(file_op&& other) noexcept
    : offloaded(work, moves, other.name),
      file_(other.file_),
      verb_(other.verb_),
      whole_(other.whole_),
      cursor_(other.cursor_),
      vectored_(other.vectored_),
      from_(other.from_),
      wrong_(other.wrong_),
      size_(other.size_),
      left_(other.left_),
      offset_(other.offset_) {
  if (vectored_)
    vec_ = other.vec_;
  else
    data_ = other.data_;
  COVE_ASSERT(!other.inside_);
}

void file_op::of_buffers(const io_vec* first, std::size_t count) noexcept {
  vectored_ = true;
  vec_ = first;
  size_ = count;
  for (std::size_t i = 0; i < count; ++i) left_ += first[i].size;
  if (left_ == 0) size_ = 0;
}

void file_op::to_size(std::int64_t size) noexcept {
  offset_ = size;
  if (size < 0) wrong_ = fault::negative_size;
}

void file_op::to_position(std::int64_t offset, seek_from from) noexcept {
  offset_ = offset;
  from_ = from;
  if (from == seek_from::begin && offset < 0) wrong_ = fault::negative_offset;
}

// ----- the worker's side -----

bool file_op::await_ready() noexcept {
  if (wrong_ != fault::none) return true;
  if (file_ == nullptr) {
    stopped_ = stop_reason::closed;
    return true;
  }
  switch (file_->enter(cursor_)) {
    case file_state::entry::closed: stopped_ = stop_reason::closed; return true;
    case file_state::entry::busy: wrong_ = fault::busy; return true;
    case file_state::entry::entered: inside_ = true;
  }
  if (--task_->budget < 0) return false;  // suspend() gives way first.
  stopped_ = glance(*task_);
  return stopped_ != stop_reason::none || try_here(*task_);
}

/// Step 3. True if that is the result.
bool file_op::must_end(task_ctl& task) noexcept {
  if (file_->is_closed())
    stopped_ = stop_reason::closed;
  else
    stopped_ = cause != stop_reason::none ? cause : glance(task);
  return stopped_ != stop_reason::none;
}

/// Step 4, and what never waits. True if that is the result.
bool file_op::try_here(task_ctl& task) noexcept {
  if (transfers() && left_ == 0) return true;
  while (!tried_) {
    switch (try_once()) {
      case step::final: return true;
      case step::waits: tried_ = true; break;
      case step::more:
        if (must_end(task)) return true;
    }
  }
  return false;
}

file_op::step file_op::try_once() noexcept {
  if (verb_ == file_verb::seek && from_ != seek_from::end) return book(call());
  // relaxed: a hint.
  if (verb_ != file_verb::read || left_ > cached_most ||
      file_->always_waits.load(std::memory_order_relaxed))
    return step::waits;
  std::int64_t n = 0;
  switch (read_cached(file_->fd, next_piece(cached_most), n)) {
    case cached::given: return book(n);
    case cached::unable: file_->always_waits.store(true, std::memory_order_relaxed); break;
    case cached::waits: break;
  }
  return step::waits;
}

/// What a ring would be asked for.
void file_op::fill_ring() noexcept {
  ring = {};
  if (ringless_) return;
  ring.fd = file_->fd;
  switch (verb_) {
    case file_verb::sync: ring.verb = ring_verb::sync; return;
    case file_verb::sync_data: ring.verb = ring_verb::sync_data; return;
    case file_verb::read:
    case file_verb::write: break;
    default: return;
  }
  const bool reads = verb_ == file_verb::read;
  const transfer_piece piece = next_piece(ring_most);
  if (piece.vec != nullptr) {
    ring.verb = reads ? ring_verb::read_v : ring_verb::write_v;
    ring.data = const_cast<io_vec*>(piece.vec);  // Only ever read.
  } else {
    ring.verb = reads ? ring_verb::read : ring_verb::write;
    ring.data = piece.data;
  }
  ring.size = static_cast<std::uint32_t>(piece.size);
  ring.offset = piece.offset;
  ring.apart = left_ > cached_most;
}

// ----- the calls and what they say -----

/// On a thread of the pool.
void file_op::run(cove::pool::job& which) noexcept {
  auto& op = static_cast<file_op&>(which);
  while (op.book(op.call()) == step::more)
    if (op.is_asked()) {
      op.unfinished_ = true;
      return;
    }
}

/// The bytes that are next, at most `most` of them where that can be said without a copy of the
/// array of buffers.
transfer_piece file_op::next_piece(std::size_t most) noexcept {
  transfer_piece piece;
  piece.offset = cursor_ ? at_cursor : offset_;
  if (!vectored_) {
    piece.data = data_;
    piece.size = std::min(size_, most);
    return piece;
  }
  while (vec_->size == vec_offset_) {
    ++vec_;
    --size_;
    vec_offset_ = 0;
  }
  if (vec_offset_ != 0) {
    // The rest of one that moved in part goes by itself.
    piece.data = static_cast<char*>(vec_->data) + vec_offset_;
    piece.size = std::min(vec_->size - vec_offset_, most);
  } else {
    piece.vec = vec_;
    piece.size = std::min(size_, vec_most());
  }
  return piece;
}

std::int64_t file_op::call() noexcept {
  switch (verb_) {
    case file_verb::read: return read_file(file_->fd, next_piece(whole_ ? piece_most : size_));
    case file_verb::write: return write_file(file_->fd, next_piece(whole_ ? piece_most : size_));
    case file_verb::sync: return sync_file(file_->fd, false);
    case file_verb::sync_data: return sync_file(file_->fd, true);
    case file_verb::truncate: return truncate_file(file_->fd, offset_);
    case file_verb::seek: return seek_file(file_->fd, offset_, static_cast<seek_base>(from_));
    case file_verb::stat: {
      const std::error_code why = read_status(file_->fd, *static_cast<file_status*>(data_));
      return -static_cast<std::int64_t>(why.value());
    }
  }
  return -EINVAL;
}

/// Takes down what a call said.
file_op::step file_op::book(std::int64_t outcome) noexcept {
  if (outcome < 0) {
    error_ = static_cast<int>(-outcome);
    return step::final;
  }
  if (transfers() && outcome != 0) return consume(static_cast<std::size_t>(outcome));
  if (verb_ == file_verb::seek) offset_ = outcome;
  if (!transfers()) return step::final;
  if (whole_) wrong_ = verb_ == file_verb::read ? fault::unexpected_end : fault::stuck;
  return step::final;
}

file_op::step file_op::consume(std::size_t moved) noexcept {
  transferred_ += moved;
  left_ -= moved;
  if (!cursor_) offset_ += static_cast<std::int64_t>(moved);
  if (left_ == 0 || !whole_) return step::final;
  if (!vectored_) {
    data_ = static_cast<char*>(data_) + moved;
    size_ -= moved;
    return step::more;
  }
  moved += vec_offset_;
  while (moved >= vec_->size && moved != 0) {
    moved -= vec_->size;
    ++vec_;
    --size_;
  }
  vec_offset_ = moved;
  return step::more;
}

// ----- the result -----

std::error_code file_op::outcome() const noexcept {
  if (is_refused()) return refusal();
  if (error_ != 0) return system_error_code(error_);
  if (stopped_ != stop_reason::none) return cove::detail::code_of(stopped_);
  switch (wrong_) {
    case fault::none: return {};
    case fault::busy: return make_error_code(errc::operation_in_progress);
    case fault::unexpected_end: return make_error_code(errc::unexpected_end);
    case fault::empty_buffer:
    case fault::negative_offset:
    case fault::negative_size:
    case fault::appends: return std::make_error_code(std::errc::invalid_argument);
    case fault::stuck: return std::make_error_code(std::errc::io_error);
  }
  return {};
}

/// `read_at "/tmp/x" at 4096`
std::string file_op::describe(const char* verb) const {
  std::string text = verb;
  if (file_ != nullptr) {
    text += ' ';
    text += file_->describe();
  }
  if (transfers() && !cursor_) text += " at " + std::to_string(offset_);
  if (verb_ == file_verb::truncate || (verb_ == file_verb::seek && verb == name))
    text += " to " + std::to_string(offset_);
  return text;
}

std::string file_op::remedy() const {
  if (is_refused()) return refusal_remedy();
  switch (wrong_) {
    case fault::busy: return "one task uses the cursor at a time; read_at and write_at need none";
    case fault::empty_buffer:
      return "give a buffer of at least one byte: 0 bytes read means the end of the file";
    case fault::negative_offset: return "offsets count from 0, the first byte";
    case fault::negative_size: return "a size is 0 or more";
    case fault::appends:
      return "a file opened with append() is written at its end, whatever the offset; use "
             "write_some or write_all";
    case fault::stuck: return "the system wrote 0 bytes";
    case fault::none:
    case fault::unexpected_end: break;
  }
  if (error_ == EBADF && verb_ == file_verb::read && !file_->can.reads)
    return "the file was not opened with read()";
  if (error_ == EBADF && verb_ == file_verb::write && !file_->can.writes)
    return "the file was not opened with write()";
  if (error_ == EINVAL && transfers() && file_->can.direct)
    return "a file opened with direct() wants buffer, size and offset in whole blocks; see "
           "aligned_buffer";
  return {};
}

void file_op::fail_as(const char* verb, std::size_t moved) const {
  if (stopped_ == stop_reason::canceled) throw canceled(describe(verb), moved);
  throw io_error(outcome(), describe(verb), moved, remedy());
}

}  // namespace cove::io::detail
