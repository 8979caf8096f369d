#pragma once

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/detail/operation.hpp>

#include <cstddef>
#include <cstdint>

// The one operation that all input and output is made of. It lives in the awaiting frame. A
// readiness backend lets the worker repeat the system call (`perform`) until it has an answer; a
// completion backend gives it to the kernel and keeps what the kernel needs in `backend_storage`.

namespace cove::netpoll {
struct poll_desc;
}

namespace cove::detail {

enum class io_kind : std::uint8_t {
  read,     ///< recv into buffer
  peek,     ///< recv without consuming
  borrow,   ///< recv into a buffer of the runtime's, handed out as a lease
  read_v,   ///< recv into several buffers
  write,    ///< send from buffer
  write_v,  ///< send from several buffers
  accept,   ///< a new descriptor
  connect,  ///< the end of a connect in progress
  wait_in,  ///< readable, or at its end
};

/// One buffer of a vectored transfer.
struct io_vec {
  void* data;
  std::size_t size;
};

extern const operation_type io_type;

struct io_op : operation {
  explicit io_op(io_kind what) noexcept : operation(io_type), kind(what) {}
  /// Before its start only: the same operation at another place.
  io_op(io_op&& other) noexcept
      : operation(io_type),
        kind(other.kind),
        whole(other.whole),
        queues(other.queues),
        buffer(other.buffer),
        size(other.size),
        vec(other.vec),
        vec_count(other.vec_count),
        wrong(other.wrong) {
    name = other.name;
    COVE_ASSERT(other.phase == state::fresh && other.desc == nullptr);
  }

  /// no direction needed yet -> queued for it -> holds it -> result taken
  enum class state : std::uint8_t { fresh, queued, holding, left };

  io_kind kind;
  state phase = state::fresh;
  bool whole = false;       ///< Goes on until all of the buffer has moved.
  bool queues = false;      ///< Waits for the direction instead of failing when it is taken.
  bool tried = false;       ///< The first try was made, or is to be left out.
  bool armed_once = false;  ///< Was given to a completion backend; `result` is its answer.
  netpoll::poll_desc* desc = nullptr;
  task_ctl* task = nullptr;

  void* buffer = nullptr;                   ///< The bytes that are next; for borrow, the lease's.
  std::size_t size = 0;                     ///< How many.
  const io_vec* vec = nullptr;              ///< Vectored: the buffers that are next, and
  std::size_t vec_count = 0;                ///< how many;
  std::size_t vec_offset = 0;               ///< the first one from here on.
  std::size_t transferred = 0;              ///< Bytes moved so far.
  std::int64_t result = 0;                  ///< Completion backends: bytes, descriptor, or -errno.
  int fd = -1;                              ///< accept: the new descriptor.
  int error = 0;                            ///< errno of the final result, 0 if none,
  stop_reason stopped = stop_reason::none;  ///< or why it was broken off,
  /// or what was wrong with it.
  enum class fault : std::uint8_t {
    none,
    busy,
    unexpected_end,
    wrong_runtime,
    invalid,
    no_memory
  } wrong = fault::none;

  io_op* queue_next = nullptr;  ///< Under the poll descriptor's queue_lock.

  bool vectored() const noexcept { return kind == io_kind::read_v || kind == io_kind::write_v; }

  /// What a completion backend needs: the system's structure is constructed here.
  alignas(16) std::byte backend_storage[64];

  bool failed() const noexcept {
    return error != 0 || stopped != stop_reason::none || wrong != fault::none;
  }
};

}  // namespace cove::detail
