#include <cove/io/detail/memory_pipe.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace cove::io::detail {

using cove::detail::operation;
using cove::detail::spin_guard;
using cove::detail::stop_reason;
using cove::detail::task_ctl;

namespace {

/// Has the task look again; nothing of the pipe or the operation is touched afterwards.
void rouse(task_ctl* waits) noexcept {
  if (waits != nullptr && waits->word.complete()) cove::detail::make_ready(*waits, true);
}

}  // namespace

// ----- the pipe -----

memory_pipe* memory_pipe::make(std::size_t capacity) {
  void* room = ::operator new(sizeof(memory_pipe) + capacity);
  return ::new (room) memory_pipe(capacity);
}

void memory_pipe::release() noexcept {
  // acq_rel: the last owner sees all that the others did.
  if (owners_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~memory_pipe();
  ::operator delete(this);
}

bool memory_pipe::close(end which) noexcept {
  task_ctl* own = nullptr;
  task_ctl* other = nullptr;
  {
    const spin_guard guard(lock_);
    if (std::exchange(at(which).closed, true)) return false;
    own = std::exchange(at(which).waits, nullptr);
    other = std::exchange(beyond(which).waits, nullptr);
  }
  rouse(own);
  rouse(other);
  return true;
}

void memory_pipe::finish() noexcept {
  task_ctl* other = nullptr;
  {
    const spin_guard guard(lock_);
    finished_ = true;
    other = std::exchange(reader_.waits, nullptr);
  }
  rouse(other);
}

// ----- operations -----

memory_operation::memory_operation(memory_pipe* where, memory_pipe::end which, void* buffer,
                                   std::size_t size, bool whole, const char* verb) noexcept
    : operation(moves),
      pipe_(where),
      buffer_(static_cast<std::byte*>(buffer)),
      size_(size),
      end_(which),
      whole_(whole) {
  name = verb;
  if (pipe_ == nullptr)
    error_ = make_error_code(errc::closed);
  else
    pipe_->retain();
  // 0 always means end of stream, so there is no answer to an empty read.
  if (end_ == memory_pipe::end::reader && size == 0 && !whole)
    error_ = std::make_error_code(std::errc::invalid_argument);
}

memory_operation::memory_operation(memory_operation&& other) noexcept
    : operation(moves),
      pipe_(std::exchange(other.pipe_, nullptr)),
      buffer_(other.buffer_),
      size_(other.size_),
      end_(other.end_),
      whole_(other.whole_),
      error_(other.error_) {
  name = other.name;
  COVE_ASSERT(!other.holds_);
}

memory_operation::~memory_operation() {
  static_cast<void>(leave());
  if (pipe_ != nullptr) pipe_->release();
}

io_result memory_operation::leave() noexcept {
  if (std::exchange(holds_, false)) {
    const spin_guard guard(pipe_->lock_);
    pipe_->at(end_).taken = false;
  }
  return {moved_, error_};
}

bool memory_operation::take_side() noexcept {
  const spin_guard guard(pipe_->lock_);
  holds_ = !std::exchange(pipe_->at(end_).taken, true);
  if (!holds_) error_ = make_error_code(errc::operation_in_progress);
  return holds_;
}

bool memory_operation::must_end(task_ctl& task) noexcept {
  stop_reason why = cause;
  {
    const spin_guard guard(pipe_->lock_);
    if (pipe_->at(end_).closed) why = stop_reason::closed;
  }
  if (why == stop_reason::none) why = cove::detail::glance(task);
  if (why != stop_reason::none) error_ = cove::detail::code_of(why);
  return why != stop_reason::none;
}

/// How many bytes could move now.
std::size_t memory_operation::possible() noexcept {
  const std::size_t there =
      end_ == memory_pipe::end::reader ? pipe_->count_ : pipe_->capacity_ - pipe_->count_;
  return std::min(there, size_);
}

void memory_operation::copy(std::size_t at, std::size_t count) noexcept {
  std::byte* ring = pipe_->bytes() + at;
  if (end_ == memory_pipe::end::reader)
    std::memcpy(buffer_, ring, count);
  else
    std::memcpy(ring, buffer_, count);
  buffer_ += count;
}

/// Moves what can be moved. If that is nothing, `waits`, if there is one, is noted as waiting.
memory_operation::look memory_operation::attempt(task_ctl* waits) noexcept {
  memory_pipe& pipe = *pipe_;
  const bool reads = end_ == memory_pipe::end::reader;
  std::size_t at = 0;
  std::size_t count = 0;
  {
    const spin_guard guard(pipe.lock_);
    if (!reads && (pipe.finished_ || pipe.reader_.closed)) {
      error_ = std::make_error_code(std::errc::broken_pipe);
      return look::ended;
    }
    count = possible();
    if (count == 0) {
      if (reads && (pipe.finished_ || pipe.writer_.closed)) {
        if (whole_) error_ = make_error_code(errc::unexpected_end);
        return look::ended;
      }
      // A closer that came since must_end() found nobody to tell.
      if (!pipe.at(end_).closed) {
        pipe.at(end_).waits = waits;
        return look::nothing;
      }
      error_ = make_error_code(errc::closed);
      return look::ended;
    }
    at = reads ? pipe.first_ : (pipe.first_ + pipe.count_) % pipe.capacity_;
  }
  const std::size_t straight = std::min(count, pipe.capacity_ - at);
  copy(at, straight);
  copy(0, count - straight);
  size_ -= count;
  moved_ += count;
  task_ctl* other = nullptr;
  {
    const spin_guard guard(pipe.lock_);
    if (reads) {
      pipe.first_ = (pipe.first_ + count) % pipe.capacity_;
      pipe.count_ -= count;
    } else {
      pipe.count_ += count;
    }
    other = std::exchange(pipe.beyond(end_).waits, nullptr);
  }
  rouse(other);
  return look::moved;
}

/// True if it has ended; else its task is noted, if it may wait.
bool memory_operation::proceed(task_ctl& task, bool may_wait) noexcept {
  for (;;) {
    if (must_end(task)) return true;
    if (size_ == 0) return true;  // A write, or an exact read, of nothing.
    switch (attempt(may_wait ? &task : nullptr)) {
      case look::ended: return true;
      case look::nothing: return false;
      case look::moved:
        if (!whole_ || size_ == 0) return true;
        break;
    }
  }
}

bool memory_operation::await_ready() noexcept {
  if (error_) return true;
  if (--task_->budget < 0) return false;  // suspend() gives way first.
  return !take_side() || proceed(*task_, false);
}

bool memory_operation::advance(operation& op, task_ctl& task, cove::sched::processor&) noexcept {
  auto& self = static_cast<memory_operation&>(op);
  if (!self.holds_ && !self.take_side()) return true;
  return self.proceed(task, true);
}

bool memory_operation::withdraw(operation& op, task_ctl&, cove::sched::processor&) noexcept {
  const auto& self = static_cast<memory_operation&>(op);
  const spin_guard guard(self.pipe_->lock_);
  return std::exchange(self.pipe_->at(self.end_).waits, nullptr) != nullptr;
}

void memory_operation::refuse(operation& op, stop_reason why) noexcept {
  static_cast<memory_operation&>(op).error_ = cove::detail::code_of(why);
}

const cove::detail::operation_type memory_operation::moves{"memory", advance, withdraw, refuse};

}  // namespace cove::io::detail
