#pragma once

#include "netpoll/poll_desc.hpp"

// The system calls of the runtime's operations: the platform's half of io_op.cpp.

namespace cove::detail {

enum class step : std::uint8_t {
  final,        ///< The operation has its result.
  more,         ///< Bytes moved, but it wants all of them.
  would_block,  ///< Nothing to be had now.
};

/// The direction an operation uses.
netpoll::direction direction_of(io_kind kind) noexcept;

/// A read of a stream whose end was given before gives it again, without a call.
bool ends_already(io_op& op, netpoll::poll_desc& desc) noexcept;

/// Makes the operation's system call once (again after EINTR) and books what it says.
/// Threads: the holder of the direction; completion backends that try inline.
step perform(io_op& op, netpoll::poll_desc& desc) noexcept;

/// Only the call: bytes, a descriptor, 0, or -errno. For backends that carry operations out
/// themselves and report what it gave.
std::int64_t call_once(io_op& op, int fd) noexcept;

/// Books the outcome of one call: bytes, a descriptor, 0, or -errno.
step book(io_op& op, netpoll::poll_desc& desc, std::int64_t outcome) noexcept;

/// Gives a descriptor number back to the system; the code is what close said.
std::error_code close_number(int fd) noexcept;

}  // namespace cove::detail
