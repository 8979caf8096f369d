#pragma once

#include <cove/io/buffer.hpp>
#include <cove/io/lease.hpp>
#include <cove/io/readiness.hpp>
#include <cove/runtime/detail/descriptor.hpp>

// The awaitables of every stream: an io_op in the caller's frame, and what its outcome means.

namespace cove::io::detail {

using cove::detail::io_kind;

/// An operation on a descriptor. Refers to the descriptor object until it starts, to the poll
/// descriptor from then on.
class io_awaiter : public cove::detail::io_op {
 public:
  io_awaiter(cove::detail::descriptor& on, io_kind what) noexcept : io_op(&on, what) {}
  io_awaiter(io_awaiter&&) noexcept = default;
  ~io_awaiter() { io_leave(*this); }

  bool await_ready() noexcept { return io_try(*this, *task_); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return cove::detail::suspend(*task_, *this, self);
  }
};

/// Throws what `op` reports, as io_error.
[[noreturn]] void throw_io(const cove::detail::io_op& op);

/// One transfer without waiting, from any thread; operation_would_block if nothing can move.
io_result try_once(cove::detail::descriptor& on, io_kind what, void* data,
                   std::size_t size) noexcept;

/// What an operation gives: `value` from co_await, `reported` from as_result().
struct gives_count {
  using value = std::size_t;
  using reported = io_result;
  static value take(cove::detail::io_op& op) noexcept { return op.transferred; }
  static reported report(cove::detail::io_op& op, std::error_code why) noexcept {
    return {op.transferred, why};
  }
};
struct gives_nothing {
  using value = void;
  using reported = io_result;
  static void take(cove::detail::io_op&) noexcept {}
  static reported report(cove::detail::io_op& op, std::error_code why) noexcept {
    return {op.transferred, why};
  }
};
struct gives_readiness {
  using value = readiness;
  using reported = result<readiness>;
  static value take(cove::detail::io_op& op) noexcept {
    const auto found = [&op](std::size_t what) { return (op.transferred & what) != 0; };
    return {.readable = found(cove::detail::found_readable),
            .writable = found(cove::detail::found_writable),
            .urgent = found(cove::detail::found_urgent),
            .hung_up = found(cove::detail::found_hung_up),
            .failed = found(cove::detail::found_failed)};
  }
  static reported report(cove::detail::io_op& op, std::error_code why) noexcept {
    if (why) return why;
    return take(op);
  }
};
struct gives_lease {
  using value = lease;
  using reported = result<lease>;
  static value take(cove::detail::io_op& op) noexcept {
    return {std::exchange(op.buffer, nullptr), op.transferred};
  }
  static reported report(cove::detail::io_op& op, std::error_code why) noexcept {
    if (why) return why;
    return take(op);
  }
};

template <class Gives>
class io_result_operation;

/// `co_await operation` throws; `co_await operation.as_result()` reports.
template <class Gives>
class [[nodiscard]] io_operation : public io_awaiter {
 public:
  io_operation(cove::detail::descriptor& on, io_kind what, const char* verb) noexcept
      : io_awaiter(on, what) {
    name = verb;
  }
  io_operation(io_operation&&) noexcept = default;

  typename Gives::value await_resume() {
    io_leave(*this);
    if (failed()) throw_io(*this);
    return Gives::take(*this);
  }
  auto as_result() && noexcept { return io_result_operation<Gives>(std::move(*this)); }
};

template <class Gives>
class [[nodiscard]] io_result_operation : public io_awaiter {
 public:
  explicit io_result_operation(io_operation<Gives>&& from) noexcept : io_awaiter(std::move(from)) {}
  io_result_operation(io_result_operation&&) noexcept = default;

  typename Gives::reported await_resume() noexcept {
    io_leave(*this);
    return Gives::report(*this, io_outcome(*this));
  }
};

using count_operation = io_operation<gives_count>;
using whole_operation = io_operation<gives_nothing>;
using ready_operation = io_operation<gives_readiness>;
using lease_operation = io_operation<gives_lease>;

/// Reads at least one byte, or all of the buffer (`whole`).
template <class Operation>
Operation make_read(cove::detail::descriptor& on, io_kind what, std::span<std::byte> buffer,
                    bool whole, const char* name) noexcept {
  Operation op(on, what, name);
  op.buffer = buffer.data();
  op.size = buffer.size();
  op.whole = whole;
  // 0 always means end of stream, so there is no answer to an empty read.
  if (!whole && buffer.empty()) op.wrong = cove::detail::io_op::fault::invalid;
  return op;
}

template <class Operation>
Operation make_write(cove::detail::descriptor& on, std::span<const std::byte> buffer, bool whole,
                     const char* name) noexcept {
  Operation op(on, io_kind::write, name);
  op.buffer = const_cast<std::byte*>(buffer.data());  // Only ever read.
  op.size = buffer.size();
  op.whole = whole;
  return op;
}

/// Vectored transfers; the array is the caller's and stays as it is.
template <class Operation, class Buffer>
Operation make_vectored(cove::detail::descriptor& on, io_kind what, std::span<const Buffer> buffers,
                        bool whole, const char* name) noexcept {
  static_assert(sizeof(Buffer) == sizeof(cove::detail::io_vec));
  Operation op(on, what, name);
  op.vec = reinterpret_cast<const cove::detail::io_vec*>(buffers.data());
  op.size = buffers.size();
  op.whole = whole;
  std::size_t total = 0;
  for (const Buffer& part : buffers) total += part.size;
  if (total == 0) {
    op.size = 0;
    if (what == io_kind::read_v && !whole) op.wrong = cove::detail::io_op::fault::invalid;
  }
  return op;
}

}  // namespace cove::io::detail
