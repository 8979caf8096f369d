#pragma once

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/detail/operation.hpp>

#include <cstddef>
#include <cstdint>

// The one operation that all input and output is made of. It lives in the awaiting frame. A
// readiness backend lets the worker repeat the system call (`perform`) until it has an answer; a
// completion backend gives it to the kernel, and keeps for itself what the kernel needs meanwhile.
// Every connection that waits holds one, so it is kept small.

namespace cove::netpoll {
struct poll_desc;
}

namespace cove::detail {

class descriptor;

/// What a descriptor is, as far as its operations must know. Constant while it is open.
enum class descriptor_kind : std::uint8_t {
  tcp,     ///< A TCP stream: recv and send; a short read means that the kernel has no more.
  socket,  ///< Any other socket: recv and send.
  pipe,    ///< A pipe or FIFO: read and write.
  other,   ///< What else can be waited for, a terminal say: read and write.
  shared,  ///< As other, but it blocks, and must stay so for those who share it. Not vectored.
};

enum class io_kind : std::uint8_t {
  read,         ///< recv or read into buffer
  peek,         ///< recv without consuming
  borrow,       ///< recv or read into a buffer of the runtime's, handed out as a lease
  read_v,       ///< the same into several buffers
  write,        ///< send or write from buffer
  write_v,      ///< the same from several buffers
  accept,       ///< a new descriptor
  connect,      ///< the end of a connect in progress
  wait_in,      ///< readable, or at its end
  wait_out,     ///< writable, or broken
  wait_urgent,  ///< something urgent is there; it takes the read direction
  call_in,      ///< a call of the caller's own that reads, made when there may be something
  call_out,     ///< the same that writes, made when there may be room
};

/// What a wait found, in `transferred`.
enum : std::size_t {
  found_readable = 1,
  found_writable = 2,
  found_urgent = 4,
  found_hung_up = 8,
  found_failed = 16,
};

/// A system call that is no kind of its own: splice, sendfile.
struct io_call {
  /// Gives how many bytes it moved, or -errno; -EAGAIN if it has to wait for `fd`, and for nothing
  /// else. 0 of one that reads is the end of the stream. Made by the worker, as often as it takes.
  std::int64_t (*make)(io_call& self, int fd) noexcept;
};

/// One buffer of a vectored transfer.
struct io_vec {
  void* data;
  std::size_t size;
};

extern const operation_type io_type;

struct io_op : awaitable_base, operation {
  io_op(descriptor* where, io_kind what) noexcept : operation(io_type), kind(what), handle(where) {}
  /// Before its start only: the same operation at another place.
  io_op(io_op&& other) noexcept
      : operation(io_type),
        kind(other.kind),
        whole(other.whole),
        queues(other.queues),
        wrong(other.wrong),
        handle(other.handle),
        size(other.size) {
    name = other.name;
    if (vectored())
      vec = other.vec;
    else
      buffer = other.buffer;
    COVE_ASSERT(other.phase == state::fresh);
  }

  /// no direction needed yet -> queued for it -> holds it -> result taken
  enum class state : std::uint8_t { fresh, queued, holding, left };
  /// What was wrong with it, if no call was to blame.
  enum class fault : std::uint8_t {
    none,
    busy,
    unexpected_end,
    wrong_runtime,
    invalid,
    no_memory,
    too_high,  ///< The descriptor's number; it was not attached, so `handle` stays.
  };

  io_kind kind;
  state phase = state::fresh;
  bool whole : 1 = false;       ///< Goes on until all of the buffer has moved.
  bool queues : 1 = false;      ///< Waits for the direction instead of failing when it is taken.
  bool tried : 1 = false;       ///< The first try was made, or is to be left out.
  bool armed_once : 1 = false;  ///< Was given to a completion backend; `result` is its answer.

  // The final result, unless it was a success.
  stop_reason stopped = stop_reason::none;  ///< Why it was broken off,
  fault wrong = fault::none;                ///< or what was wrong with it,
  int error = 0;                            ///< or errno.

  union {
    std::int32_t result = -1;  ///< Completion backends: bytes, descriptor, or -errno.
    int fd;  ///< accept: the new descriptor, once it is final; -1 if there is none.
  };
  union {
    descriptor* handle;        ///< Until it starts;
    netpoll::poll_desc* desc;  ///< from then on.
  };
  union {
    void* buffer = nullptr;  ///< The bytes that are next; for borrow, the lease's.
    const io_vec* vec;       ///< Vectored: the buffers that are next.
    io_call* call;           ///< call_in, call_out.
    io_op* queue_next;       ///< accept: under the poll descriptor's queue_lock.
  };
  std::size_t size = 0;         ///< How many bytes, or buffers.
  std::size_t vec_offset = 0;   ///< Vectored: the first buffer from here on.
  std::size_t transferred = 0;  ///< Bytes moved so far.

  /// Is it a call of the caller's own?
  bool calls() const noexcept { return kind == io_kind::call_in || kind == io_kind::call_out; }
  bool vectored() const noexcept { return kind == io_kind::read_v || kind == io_kind::write_v; }
  /// Does it move nothing, and only tell what is so?
  bool waits() const noexcept {
    return kind == io_kind::wait_in || kind == io_kind::wait_out || kind == io_kind::wait_urgent;
  }
  bool failed() const noexcept {
    return error != 0 || stopped != stop_reason::none || wrong != fault::none;
  }
};

}  // namespace cove::detail
