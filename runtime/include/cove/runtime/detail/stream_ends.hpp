#pragma once

#include <atomic>

namespace cove::detail {

/// What is known of how a stream ended. The kernel tells each thing once, to whoever asks first;
/// here it stays, so that a reset is never taken for the end of the stream, nor the end for a
/// reset.
///
/// Each flag only ever goes from false to true, the error from 0 to the first one. Any thread;
/// relaxed but for `broken` and `peer_finished`, which one direction writes and the other reads
/// after its own system call: release and acquire.
struct stream_ends {
  stream_ends() noexcept = default;
  stream_ends(const stream_ends& other) noexcept { *this = other; }
  stream_ends& operator=(const stream_ends& other) noexcept {
    wrote_last.store(other.wrote_last.load(std::memory_order_relaxed), std::memory_order_relaxed);
    read_last.store(other.read_last.load(std::memory_order_relaxed), std::memory_order_relaxed);
    peer_finished.store(other.peer_finished.load(std::memory_order_acquire),
                        std::memory_order_release);
    broken.store(other.broken.load(std::memory_order_acquire), std::memory_order_release);
    return *this;
  }

  /// This side has shut down its writing.
  std::atomic<bool> wrote_last{false};
  /// Reads give the end from now on: it was given once, or this side has shut down its reading.
  std::atomic<bool> read_last{false};
  /// A write met a reset that came after the peer's end: what was received is whole.
  std::atomic<bool> peer_finished{false};
  /// The first error (errno) that ended the connection, or 0.
  std::atomic<int> broken{0};
};

}  // namespace cove::detail
