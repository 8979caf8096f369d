#include <cove/io/detail/kernel_copy.hpp>

#include "pipe.hpp"
#include "splice.hpp"

#include <cove/io/detail/file_state.hpp>
#include <cove/io/detail/transfer.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>

// Copies whose bytes no program sees.
//
// splice(2) moves between a pipe and something else. So what is no pipe at either end goes through
// one of ours: into it, out of it until it is empty, and so on; each of the two calls is an
// operation on the descriptor that it could have to wait for. Into an empty pipe there is always
// room, and of a full one there is always something, so EAGAIN says that the descriptor is meant.
//
// A pipe of the caller's at one end is not ours to keep empty or full. There EAGAIN could mean
// either side: the pipe is waited for first, and when the call is refused, looked at again.

namespace cove::io::detail {
namespace {

using cove::detail::descriptor;
using cove::detail::descriptor_hold;
using cove::detail::descriptor_kind;
using cove::detail::io_call;

/// What one call moves at most. Larger ones would keep the worker from others.
constexpr std::size_t step_bytes = std::size_t{1} << 20;

std::size_t step_of(std::uint64_t most) noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(most, step_bytes));
}

count_operation make_call(descriptor& on, io_kind what, io_call& call, const char* verb) noexcept {
  count_operation op(on, what, verb);
  op.call = &call;
  op.size = 1;  // Something is to be moved.
  return op;
}

/// The pipe between two sockets.
class middle {
 public:
  middle() : ends_(open_own_pipe()) {}
  middle(const middle&) = delete;
  middle& operator=(const middle&) = delete;
  ~middle() {
    if (!ends_) return;
    ::close(ends_->reader);
    ::close(ends_->writer);
  }

  bool is_open() const noexcept { return ends_.has_value(); }
  int reader() const noexcept { return ends_->reader; }
  int writer() const noexcept { return ends_->writer; }

  /// Takes out what is left in it.
  void drain(byte_buffer& into, std::size_t count) const {
    while (count > 0) {
      const std::span<std::byte> room = into.prepare(std::min(count, step_bytes));
      const ssize_t n = ::read(reader(), room.data(), std::min(count, room.size()));
      if (n < 0 && errno == EINTR) continue;
      COVE_CHECK(n > 0, "a pipe of our own lost bytes");
      into.commit(static_cast<std::size_t>(n));
      count -= static_cast<std::size_t>(n);
    }
  }

 private:
  result<pipe_numbers> ends_;
};

struct splice_in : io_call {
  splice_in(int pipe, std::size_t most) noexcept : to(pipe), size(most) { make = once; }
  static std::int64_t once(io_call& self, int fd) noexcept {
    const auto& call = static_cast<splice_in&>(self);
    return splice_once(fd, call.to, call.size);
  }
  int to;
  std::size_t size;
};

struct splice_out : io_call {
  splice_out(int pipe, std::size_t most) noexcept : from(pipe), size(most) { make = once; }
  static std::int64_t once(io_call& self, int fd) noexcept {
    const auto& call = static_cast<splice_out&>(self);
    return splice_once(call.from, fd, call.size);
  }
  int from;
  std::size_t size;
};

/// Between what the operation is on and a pipe of the caller's, which was ready before.
struct splice_beside : io_call {
  splice_beside(descriptor& pipe, bool pipe_is_source, std::size_t most) noexcept
      : other(pipe), out(pipe_is_source), size(most) {
    make = once;
  }
  static std::int64_t once(io_call& self, int fd) noexcept {
    auto& call = static_cast<splice_beside&>(self);
    const descriptor_hold held(call.other);
    if (!held) return -EBADF;
    const int pipe = held.fd();
    const std::int64_t n =
        call.out ? splice_once(pipe, fd, call.size) : splice_once(fd, pipe, call.size);
    // It is the pipe that is broken, not what this is an operation on.
    if (n == -EPIPE && !call.out) return -ESHUTDOWN;
    if (n != -EAGAIN) return n;
    const bool ready = call.out ? is_readable(pipe) : is_writable(pipe);
    return ready ? n : -EBUSY;  // Somebody else was at the pipe.
  }
  descriptor& other;
  bool out;
  std::size_t size;
};

struct send_part : io_call {
  send_part(int from, std::int64_t at, std::size_t most) noexcept
      : file(from), offset(at), size(most) {
    make = once;
  }
  static std::int64_t once(io_call& self, int fd) noexcept {
    const auto& call = static_cast<send_part&>(self);
    return send_file_once(call.file, call.offset, fd, call.size);
  }
  int file;
  std::int64_t offset;
  std::size_t size;
};

/// Keeps the number of an open file while it is sent.
class file_pin {
 public:
  explicit file_pin(file_state& which) noexcept
      : file_(which), held_(which.enter(false) == file_state::entry::entered) {}
  file_pin(const file_pin&) = delete;
  file_pin& operator=(const file_pin&) = delete;
  ~file_pin() {
    if (held_) file_.leave(false);
  }
  bool is_held() const noexcept { return held_; }

 private:
  file_state& file_;
  const bool held_;
};

bool is_refusal(std::error_code why) noexcept {
  return why.category() == std::system_category() && cannot_splice(why.value());
}

/// Is it the file that cannot be sent? Whoever reads it learns why.
bool is_of_file(std::error_code why) noexcept {
  return why == system_error_code(EBADF) || why == system_error_code(EIO);
}

/// Books a failure; a refusal is none.
void fail(kernel_outcome& ended, std::error_code why, const char* verb) noexcept {
  ended.refused = is_refusal(why);
  if (ended.refused) return;
  ended.error = why;
  ended.verb = verb;
}

/// Through a pipe of ours.
task<kernel_outcome> splice_through(descriptor& from, descriptor& to, std::uint64_t most,
                                    byte_buffer& held) {
  kernel_outcome ended;
  const middle pipe;
  ended.refused = !pipe.is_open();  // No descriptors left, say.
  if (ended.refused) co_return ended;
  while (ended.n < most) {
    splice_in into(pipe.writer(), step_of(most - ended.n));
    const io_result came = co_await make_call(from, io_kind::call_in, into, copy_reads).as_result();
    if (came.error) fail(ended, came.error, copy_reads);
    if (came.n == 0) co_return ended;
    for (std::size_t left = came.n; left > 0;) {
      splice_out out(pipe.reader(), left);
      const io_result went =
          co_await make_call(to, io_kind::call_out, out, copy_writes).as_result();
      left -= went.n;
      ended.n += went.n;
      if (!went.error) continue;
      fail(ended, went.error, copy_writes);
      pipe.drain(held, left);
      co_return ended;
    }
  }
  co_return ended;
}

/// Between a pipe of the caller's and something else, which may be another pipe.
task<kernel_outcome> splice_direct(descriptor& from, descriptor& to, std::uint64_t most) {
  kernel_outcome ended;
  const bool out = from.kind() == descriptor_kind::pipe;
  descriptor& pipe = out ? from : to;
  descriptor& other = out ? to : from;
  const char* pipe_verb = out ? copy_reads : copy_writes;
  const char* verb = out ? copy_writes : copy_reads;
  const io_kind waits = out ? io_kind::wait_in : io_kind::wait_out;
  const io_kind calls = out ? io_kind::call_out : io_kind::call_in;
  while (ended.n < most) {
    const result<readiness> ready = co_await ready_operation(pipe, waits, pipe_verb).as_result();
    if (!ready) fail(ended, ready.error(), pipe_verb);
    if (!ready) co_return ended;
    splice_beside part(pipe, out, step_of(most - ended.n));
    const io_result moved = co_await make_call(other, calls, part, verb).as_result();
    ended.n += moved.n;
    if (moved.error == std::errc::device_or_resource_busy) continue;
    if (moved.error == std::errc::bad_file_descriptor)
      fail(ended, make_error_code(errc::closed), pipe_verb);
    else if (!out && moved.error == system_error_code(ESHUTDOWN))
      fail(ended, std::make_error_code(std::errc::broken_pipe), pipe_verb);
    else if (moved.error)
      fail(ended, moved.error, verb);
    if (moved.error || moved.n == 0) co_return ended;
  }
  co_return ended;
}

}  // namespace

task<kernel_outcome> splice_all(descriptor& from, descriptor& to, std::uint64_t most,
                                byte_buffer& held) {
  if (from.kind() == descriptor_kind::pipe || to.kind() == descriptor_kind::pipe)
    return splice_direct(from, to, most);
  return splice_through(from, to, most, held);
}

task<kernel_outcome> send_file(file_state& file, std::int64_t offset, descriptor& to,
                               std::uint64_t most) {
  kernel_outcome ended;
  const file_pin pin(file);
  ended.refused = !pin.is_held();  // A plain read says that it is closed.
  if (ended.refused) co_return ended;
  std::size_t cached = 0;
  while (ended.n < most) {
    const std::int64_t at = offset + static_cast<std::int64_t>(ended.n);
    if (ended.n >= cached) {
      // The disk reads ahead in order, so where the edges are in memory, what is between them is.
      cached = ended.n + step_of(most - ended.n);
      const auto last = offset + static_cast<std::int64_t>(cached) - 1;
      ended.cold = !is_cached(file.fd, at) || !is_cached(file.fd, last);
      if (ended.cold) break;
    }
    send_part part(file.fd, at, cached - ended.n);
    const io_result went = co_await make_call(to, io_kind::call_out, part, copy_writes).as_result();
    ended.n += went.n;
    ended.refused = is_of_file(went.error);
    if (went.error && !ended.refused) fail(ended, went.error, copy_writes);
    if (went.error || went.n == 0) break;
  }
  co_return ended;
}

}  // namespace cove::io::detail
