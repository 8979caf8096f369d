#pragma once

#include "native_stack.hpp"

#include <atomic>

namespace cove::detail {

/// The one place in which threads that are asked where they stand leave their answers. One asks at
/// a time; the answer may come late, or when another thread has been asked meanwhile.
///
///   word   generation << 2 | phase
///
///   idle, done -> wanted   asker: a new generation; the word is the token that the request carries
///   wanted -> filling      who answers, if its token is the word: it alone writes `stack`
///   filling -> done        the same one: `stack` is whole
///   wanted -> idle         asker: gives up
///
/// So an answer to an old request finds another word, and touches nothing. If the asker gives up in
/// `filling` the slot belongs to who answers until it is done; until then nobody else is asked.
/// Generation 0 is never asked for, as its token is what signals without a value carry.
class answer_slot {
 public:
  enum class outcome : std::uint8_t { answered, not_answered, under_way };

  /// Asker: a new request's token; 0 if an old one is still being answered.
  std::uint32_t ask() noexcept {
    // acquire: pairs with the release in finish(), of an answer that its asker did not wait for.
    const std::uint32_t last = word_.load(std::memory_order_acquire);
    if ((last & phase_mask) == filling) return 0;
    std::uint32_t token = in_phase(last + generation, wanted);
    if (token == in_phase(0, wanted)) token += generation;
    // release: pairs with the acquire in claim(); the last answer has been read.
    word_.store(token, std::memory_order_release);
    return token;
  }

  /// Asker: ends the wait. Only an answer that was given may be read, until the next ask().
  outcome settle(std::uint32_t token) noexcept {
    std::uint32_t word = token;
    // acquire: pairs with the release in finish(), before which the stack was written.
    if (word_.compare_exchange_strong(word, in_phase(token, idle), std::memory_order_acquire))
      return outcome::not_answered;
    return word == in_phase(token, done) ? outcome::answered : outcome::under_way;
  }

  /// Asker, while it waits: settle() would find an answer.
  bool is_answered(std::uint32_t token) const noexcept {
    return word_.load(std::memory_order_relaxed) == in_phase(token, done);
  }

  /// Who answers, in a signal handler: may it write? Then finish() follows.
  bool claim(std::uint32_t token) noexcept {
    std::uint32_t expected = in_phase(token, wanted);
    // acquire: pairs with the release in ask().
    return word_.compare_exchange_strong(expected, in_phase(token, filling),
                                         std::memory_order_acquire);
  }
  void finish(std::uint32_t token) noexcept {
    // release: pairs with the acquire in settle() or, if that was earlier, in ask().
    word_.store(in_phase(token, done), std::memory_order_release);
  }

  native_stack stack;

 private:
  enum phase : std::uint32_t { idle, wanted, filling, done };
  static constexpr std::uint32_t phase_mask = 3;
  static constexpr std::uint32_t generation = phase_mask + 1;

  static constexpr std::uint32_t in_phase(std::uint32_t word, phase in) noexcept {
    return (word & ~phase_mask) | in;
  }

  std::atomic<std::uint32_t> word_{idle};
  static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
};

}  // namespace cove::detail
