#pragma once

// What the kernel still carries on a TCP connection: virtual time must not pass meanwhile.

namespace cove::netpoll {

/// Sends the acknowledgement of what has arrived, if one is being held back.
void acknowledge(int fd) noexcept;

/// Are there bytes that were sent and not yet acknowledged? What a closed window holds back does
/// not count: that waits for the peer's program.
bool in_transit(int fd) noexcept;

}  // namespace cove::netpoll
