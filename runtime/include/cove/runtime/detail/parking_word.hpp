#pragma once

#include <cove/runtime/detail/atomic.hpp>

#include <cstdint>

// The parking word: one 32-bit word a task, over which its owner, the completer of the operation it
// waits for, and any number of cancellers agree who resumes it. It is a pure state machine: it
// schedules nothing, it only tells its caller who owns the task now.
//
//   bit         set by                            cleared by
//   parked      park(), last act of the owner     complete(); take() after a claim
//   masked      park(true) and remask()           with parked
//   done        complete() that found no free     park(), take(), remask() and unclaim() of the
//               owner parked task
//   cancelling  ask() that claimed a parked task  the worker that popped the claimed task
//   request     ask(request)                      the owner, when a look at its scopes found
//   nothing closed,     close and expiry of a             the owner, when the operation ends
//   deadline    descriptor
//
// Rules
//   1. Who moves parked to not parked (complete) or claims it (ask) owns the task and must schedule
//      it; everybody else touches nothing of the task afterwards.
//   2. An armed operation calls complete() exactly once, or was withdrawn before the task goes on.
//   3. `request` is sticky and only says "look at your scopes"; `closed` and `deadline` belong to
//      one operation.
//   4. A masked task is not claimed: it finds the request at its next unmasked wait.
//
// Every access is a read-modify-write of one word, or a load that decides nothing alone, so
// acquire/release would order the data that travels with a completion (the result is written before
// complete() releases, read after the pop acquires). The request additionally needs seq_cst: the
// canceller stores "triggered" in a scope and then sets the bit; the owner clears the bit and then
// reads the scopes. With weaker orders both could miss the other.

namespace cove::detail {

class parking_word {
 public:
  static constexpr std::uint32_t parked = 1;
  static constexpr std::uint32_t masked = 2;
  static constexpr std::uint32_t done = 4;
  static constexpr std::uint32_t cancelling = 8;
  static constexpr std::uint32_t request = 16;
  static constexpr std::uint32_t closed = 32;
  static constexpr std::uint32_t deadline = 64;
  static constexpr std::uint32_t asks = request | closed | deadline;

  enum class outcome {
    parked,     ///< The task is published; its owner must not touch it any more.
    completed,  ///< The completion was there already; the caller still owns the task.
    requested,  ///< Somebody asks; the caller still owns the task and must look.
  };

  /// Owner: publishes the task after its operation was armed.
  outcome park(bool mask) noexcept {
    // acquire: pairs with the release in complete(), whose result the owner goes on to read.
    std::uint32_t word = word_.load(std::memory_order_acquire);
    for (;;) {
      if ((word & done) != 0) {
        word_.fetch_and(~done, std::memory_order_acquire);
        return outcome::completed;
      }
      if (!mask && (word & asks) != 0) return outcome::requested;
      // seq_cst: a canceller stores "triggered" and reads this word; this is the other half.
      if (word_.compare_exchange_weak(word, word | parked | (mask ? masked : 0),
                                      std::memory_order_seq_cst, std::memory_order_acquire))
        return outcome::parked;
    }
  }

  /// Completer: true if the caller now owns the task and must schedule it. `bits` (closed or
  /// deadline) are left for the owner to see.
  bool complete(std::uint32_t bits = 0) noexcept {
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      const bool free = (word & parked) != 0 && (word & cancelling) == 0;
      const std::uint32_t next = (free ? word & ~(parked | masked) : word | done) | bits;
      // acq_rel: releases the result to the owner; acquires the parked frame for the scheduler.
      if (word_.compare_exchange_weak(word, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return free;
    }
  }

  /// Canceller: sets `bit`; true if the caller claimed the task and must schedule it.
  bool ask(std::uint32_t bit) noexcept {
    // relaxed: only a first guess for the exchange below.
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      const bool free = (word & parked) != 0 && (word & (masked | cancelling)) == 0;
      const std::uint32_t next = word | bit | (free ? cancelling : 0);
      // seq_cst: comes after the store of "triggered"; pairs with park() and forget_request().
      if (word_.compare_exchange_weak(word, next, std::memory_order_seq_cst,
                                      std::memory_order_relaxed))
        return free;
    }
  }

  /// Worker that popped the task: was it claimed by a canceller rather than completed?
  bool claimed() const noexcept {
    // acquire: pairs with ask() and complete() on the thread that pushed the task.
    return (word_.load(std::memory_order_acquire) & cancelling) != 0;
  }

  /// Owner of a claimed task: ends the wait; true if a completion had come as well.
  bool take() noexcept {
    // acq_rel: acquires the result of a completion that came after the claim.
    const std::uint32_t old =
        word_.fetch_and(~(parked | masked | cancelling | done), std::memory_order_acq_rel);
    return (old & done) != 0;
  }

  /// Owner of a claimed task that found nothing to act on: parks it again.
  outcome unclaim() noexcept {
    std::uint32_t word = word_.load(std::memory_order_acquire);
    for (;;) {
      if ((word & done) != 0) return take(), outcome::completed;
      if ((word & asks) != 0) return outcome::requested;
      // seq_cst: as in park().
      if (word_.compare_exchange_weak(word, word & ~cancelling, std::memory_order_seq_cst,
                                      std::memory_order_acquire))
        return outcome::parked;
    }
  }

  /// Owner of a claimed task whose operation cannot be taken back at once: parks it masked until
  /// the completion arrives. False if that had come meanwhile: the caller still owns the task.
  bool remask() noexcept {
    std::uint32_t word = word_.load(std::memory_order_acquire);
    for (;;) {
      if ((word & done) != 0) return take(), false;
      // acq_rel: publishes what the owner did to the operation to whoever completes it.
      if (word_.compare_exchange_weak(word, (word & ~cancelling) | masked,
                                      std::memory_order_acq_rel, std::memory_order_acquire))
        return true;
    }
  }

  /// Owner: does anybody ask? One load on the hot path.
  bool asked() const noexcept { return (word_.load(std::memory_order_acquire) & asks) != 0; }
  bool asked(std::uint32_t bit) const noexcept {
    return (word_.load(std::memory_order_acquire) & bit) != 0;
  }

  /// Owner: clears the sticky bit. The scopes must be read again afterwards.
  void forget_request() noexcept {
    // seq_cst: store-then-load against the canceller's store-then-ask; see the head of the file.
    word_.fetch_and(~request, std::memory_order_seq_cst);
  }

  /// Owner: the operation has ended, and with it what was asked of it alone.
  void end_operation() noexcept {
    if ((word_.load(std::memory_order_relaxed) & (closed | deadline)) != 0)
      word_.fetch_and(~(closed | deadline), std::memory_order_relaxed);
  }

 private:
  atomic<std::uint32_t> word_{0};
};

}  // namespace cove::detail
