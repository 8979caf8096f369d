#pragma once

#include <cove/runtime/detail/atomic.hpp>

#include <cstdint>

namespace cove::sched {

/// Puts one thread to sleep until another hands it a token. A token given before park() is kept, so
/// none is lost; a second one given before the first was taken is the same token.
///
/// State: empty -> token (unpark) -> empty (park takes it); empty -> waiting (park sleeps) ->
/// token.
class parker {
 public:
  /// Owner: sleeps until there is a token and takes it.
  void park() noexcept;
  /// Owner: as park(), for at most `limit_ns`. True if it took a token.
  bool park_for(std::int64_t limit_ns) noexcept;
  /// Owner: takes a token if there is one.
  bool take() noexcept {
    // relaxed: a first look. acquire: as in park().
    return state_.load(std::memory_order_relaxed) == token &&
           state_.exchange(empty, std::memory_order_acquire) == token;
  }
  /// Any thread: gives the token. The parker may be gone when the owner has taken it, so nothing of
  /// it is read afterwards.
  void unpark() noexcept;

 private:
  static constexpr std::uint32_t empty = 0;
  static constexpr std::uint32_t token = 1;
  static constexpr std::uint32_t waiting = 2;

  detail::atomic<std::uint32_t> state_{empty};
};

}  // namespace cove::sched
