#pragma once

#include "netpoll/gate.hpp"
#include "netpoll/slot.hpp"

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/io_op.hpp>
#include <cove/runtime/detail/stream_ends.hpp>

#include <cstdint>

namespace cove::detail {
struct close_op;
struct io_deadlines;
}  // namespace cove::detail

namespace cove::netpoll {

class desc_table;

/// What the poller latches about a descriptor and never takes back while it is open.
enum : std::uint32_t {
  hung_up = 1,        ///< Both directions have ended.
  peer_finished = 2,  ///< The peer will send no more.
  failed = 4,         ///< An error is pending or was reported.
  urgent = 8,         ///< Out-of-band data has arrived.
};

/// One open descriptor as the runtime knows it. Lives in the runtime's table, in memory that is
/// never given back while the runtime lives, so an event that comes late finds a poll descriptor,
/// and its generation tells that it is meant for an earlier one.
struct poll_desc {
  // Any thread.
  gate access;
  slot slots[2];
  /// generation : 32 | latched flags : 32. One word, so that a late event can only latch into the
  /// generation that it belongs to: a spurious ready is harmless, a spurious latch is not.
  detail::atomic<std::uint64_t> status{0};
  detail::stream_ends ends;
  /// Made when the first deadline is set; gone when it is recycled.
  detail::atomic<detail::io_deadlines*> deadlines{nullptr};
  /// Who waits for the descriptor to be closed.
  detail::atomic<detail::close_op*> closer{nullptr};

  // The holder of the direction.
  bool drained[2] = {false, false};

  // Accept and datagram receive queue in order: tasks that wait for the read direction.
  detail::spin_lock queue_lock;
  detail::io_op* queue_first = nullptr;
  union {
    detail::io_op* queue_last = nullptr;
    poll_desc* next_free;  ///< Not open: under the table's lock.
  };

  // Constant while open.
  int fd = -1;
  std::uint32_t index = 0;
  bool completes = false;  ///< Watched by a completion backend.
  bool released = false;   ///< Its number outlives it. Set behind a closed gate, before it is shut.
  detail::descriptor_kind kind = detail::descriptor_kind::socket;

  // epoll-lt, which says how; it stands in what the neighbours leave free.
  std::uint8_t interest = 0;
  detail::spin_lock interest_lock;

  // Constant while open.
  desc_table* table = nullptr;

  /// A short read means drained; and nothing but this stream is at the other end of its number.
  bool is_tcp() const noexcept { return kind == detail::descriptor_kind::tcp; }
  bool is_socket() const noexcept { return is_tcp() || kind == detail::descriptor_kind::socket; }

  slot& at(direction d) noexcept { return slots[static_cast<unsigned>(d)]; }
  bool& drained_at(direction d) noexcept { return drained[static_cast<unsigned>(d)]; }

  /// What an event carries to find its way back: generation : 32 | index : 32.
  std::uint64_t tag() const noexcept {
    return static_cast<std::uint64_t>(generation()) << 32 | index;
  }
  static std::uint32_t index_in(std::uint64_t tag) noexcept {
    return static_cast<std::uint32_t>(tag);
  }
  static std::uint32_t generation_in(std::uint64_t tag) noexcept {
    return static_cast<std::uint32_t>(tag >> 32);
  }

  std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(status.load(std::memory_order_relaxed) >> 32);
  }
  std::uint32_t latched() const noexcept {
    // seq_cst: pairs with latch() of the poller, which then looks into the slot; see slot::event().
    return static_cast<std::uint32_t>(status.load(std::memory_order_seq_cst));
  }
  /// False if the event belongs to an earlier generation and must be dropped.
  bool latch(std::uint32_t generation, std::uint32_t flags) noexcept {
    std::uint64_t word = status.load(std::memory_order_relaxed);
    do {
      if (static_cast<std::uint32_t>(word >> 32) != generation) return false;
      if ((word & flags) == flags) return true;
      // seq_cst: the other half of latched().
    } while (!status.compare_exchange_weak(word, word | flags, std::memory_order_seq_cst,
                                           std::memory_order_relaxed));
    return true;
  }
  /// Poller: something happened in this direction. Whoever waits there may go on.
  void report(direction d, detail::task_list& ready) noexcept {
    if (detail::task_ctl* task = at(d).event(); task != nullptr && task->word.complete())
      ready.push(*task);
  }
  /// Makes every event of the current generation stale.
  void next_generation() noexcept {
    const std::uint64_t next = (static_cast<std::uint64_t>(generation()) + 1) << 32;
    status.store(next, std::memory_order_release);  // pairs with the load in latch().
  }
};

}  // namespace cove::netpoll
