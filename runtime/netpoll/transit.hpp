#pragma once

// What the kernel still carries on TCP connections: virtual time must not pass meanwhile.

namespace cove::netpoll {

/// Sends the acknowledgement of what has arrived, if one is being held back.
void acknowledge(int fd) noexcept;

/// Are there bytes that were sent and not yet acknowledged?
bool in_transit(int fd) noexcept;

/// Are there bytes that are not sent yet, because the peer's window is closed?
bool has_unsent(int fd) noexcept;

/// Is `to` the other end of `from`, and has its program read everything? Then the window is open,
/// and what `from` has not sent is on its way.
bool is_drained_end(int from, int to) noexcept;

}  // namespace cove::netpoll
