#pragma once

#include "netpoll/poll_desc.hpp"

#include <cove/runtime/result.hpp>

// The system calls of the runtime's operations: the platform's half of io_op.cpp.

namespace cove::detail {

enum class step : std::uint8_t {
  final,        ///< The operation has its result.
  more,         ///< Bytes moved, but it wants all of them.
  would_block,  ///< Nothing to be had now.
};

/// What an operation waits for if it has to.
netpoll::awaited awaited_by(io_kind kind) noexcept;
/// The direction an operation uses.
inline netpoll::direction direction_of(io_kind kind) noexcept {
  return netpoll::direction_of(awaited_by(kind));
}
/// The same as poll(2) is asked for it.
short poll_events_of(io_kind kind) noexcept;

/// A read of a stream whose end was given before gives it again, without a call.
bool ends_already(io_op& op, netpoll::poll_desc& desc) noexcept;

/// Makes the operation's system call once (again after EINTR) and books what it says.
/// Threads: the holder of the direction; completion backends that try inline.
step perform(io_op& op, netpoll::poll_desc& desc) noexcept;

/// Does a completion backend only wait for the operation's readiness, and the worker make its call?
/// So it is with reads and writes of what is no socket: older kernels would give the operation to a
/// thread of their own, and would raise SIGPIPE in whoever happens to hand it in. With calls of the
/// caller's own, of which a ring knows nothing. And with waits: a ring tells but what it was asked.
inline bool made_by_worker(const io_op& op, const netpoll::poll_desc& desc) noexcept {
  return op.calls() || op.waits() || !desc.is_socket();
}

/// What a completion backend that carries operations out by system calls does for one: bytes, a
/// descriptor, 0, or -errno; of one that the worker makes, its readiness.
std::int64_t call_once(io_op& op, const netpoll::poll_desc& desc) noexcept;

/// Books the outcome of one call: bytes, a descriptor, 0, or -errno.
step book(io_op& op, netpoll::poll_desc& desc, std::int64_t outcome) noexcept;

/// Another number for the same thing.
result<int> duplicate_number(int fd) noexcept;

/// Gives a descriptor number back to the system; the code is what close said.
std::error_code close_number(int fd) noexcept;

}  // namespace cove::detail
