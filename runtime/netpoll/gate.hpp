#pragma once

#include <cove/runtime/detail/atomic.hpp>

#include <cstdint>

// The descriptor gate: one 64-bit word that decides who may use a descriptor, and who closes it.
// After Go's fdMutex, with the queueing left to whoever needs it.
//
//   bits 0..31   operations inside
//   bit 32       reading: the read direction is taken
//   bit 33       writing: the write direction is taken
//   bit 34       closed: nobody enters any more
//   bit 35       shut: the descriptor has been given back to the system
//   bit 36       held: the user's handle still refers to it
//
//   enter      -> +1 (and the direction's bit)          refused once closed
//   leave      -> -1 (and the direction's bit)          the last one out of a closed gate shuts
//   close      -> closed                                shuts at once if nobody is inside
//   close_idle -> closed                                refused if somebody is inside; shuts
//   shut_done  -> shut                                  recycles if the handle has gone
//   let_go     -> not held                              recycles if shut
//
// So the number of a descriptor is never reused while an operation is between "checked" and "system
// call", and its poll descriptor never while somebody can still name it.
//
// Orders: every move is acq_rel, so whoever shuts or recycles sees all that earlier users did.

namespace cove::netpoll {

enum class direction : std::uint8_t { read = 0, write = 1 };

/// What the holder of a direction waits for there.
enum class awaited : std::uint8_t {
  in,      ///< Read: bytes, or the end.
  urgent,  ///< Read: something urgent, out of band.
  out,     ///< Write: room.
};
constexpr direction direction_of(awaited what) noexcept {
  return what == awaited::out ? direction::write : direction::read;
}

class gate {
 public:
  enum class entry { entered, busy, closed };

  /// A fresh descriptor with its handle.
  void reset() noexcept { word_.store(held, std::memory_order_relaxed); }

  /// Takes a direction for one operation.
  entry enter(direction d) noexcept {
    const std::uint64_t taken = reading << static_cast<unsigned>(d);
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((word & closed) != 0) return entry::closed;
      if ((word & taken) != 0) return entry::busy;
      if (word_.compare_exchange_weak(word, (word | taken) + 1, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return entry::entered;
    }
  }

  /// Enters without a direction, for the length of one system call.
  entry enter() noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((word & closed) != 0) return entry::closed;
      if (word_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return entry::entered;
    }
  }

  /// True if the caller must shut the descriptor.
  [[nodiscard]] bool leave(direction d) noexcept {
    return last_out(
        word_.fetch_sub((reading << static_cast<unsigned>(d)) + 1, std::memory_order_acq_rel));
  }
  [[nodiscard]] bool leave() noexcept {
    return last_out(word_.fetch_sub(1, std::memory_order_acq_rel));
  }

  struct closing {
    bool first;  ///< This call closed the gate.
    bool shut;   ///< Nobody is inside: the caller must shut the descriptor.
  };
  closing close() noexcept {
    // seq_cst: an operation arms and then reads is_closed(); this closes and then reads the slots.
    const std::uint64_t old = word_.fetch_or(closed, std::memory_order_seq_cst);
    const bool first = (old & closed) == 0;
    return {first, first && (old & inside) == 0};
  }

  /// Closes only if nobody is inside; `entered` says that it did, and that the caller must shut.
  entry close_idle() noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((word & closed) != 0) return entry::closed;
      if ((word & inside) != 0) return entry::busy;
      if (word_.compare_exchange_weak(word, word | closed, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return entry::entered;
    }
  }

  /// True if the caller must recycle the poll descriptor.
  [[nodiscard]] bool shut_done() noexcept {
    return (word_.fetch_or(shut, std::memory_order_acq_rel) & held) == 0;
  }
  /// The handle is gone; true if the caller must recycle the poll descriptor.
  [[nodiscard]] bool let_go() noexcept {
    return (word_.fetch_and(~held, std::memory_order_acq_rel) & shut) != 0;
  }

  bool is_closed() const noexcept {
    // seq_cst: the other half of close().
    return (word_.load(std::memory_order_seq_cst) & closed) != 0;
  }
  bool is_taken(direction d) const noexcept {
    return (word_.load(std::memory_order_relaxed) & (reading << static_cast<unsigned>(d))) != 0;
  }

 private:
  static constexpr std::uint64_t inside = 0xffff'ffff;
  static constexpr std::uint64_t reading = std::uint64_t{1} << 32;
  static constexpr std::uint64_t closed = std::uint64_t{1} << 34;
  static constexpr std::uint64_t shut = std::uint64_t{1} << 35;
  static constexpr std::uint64_t held = std::uint64_t{1} << 36;

  static bool last_out(std::uint64_t old) noexcept {
    return (old & closed) != 0 && (old & inside) == 1;
  }

  detail::atomic<std::uint64_t> word_{held};
};

}  // namespace cove::netpoll
