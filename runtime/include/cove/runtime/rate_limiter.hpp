#pragma once

#include <cove/runtime/detail/timed_wait.hpp>
#include <cove/runtime/time.hpp>

// A bucket of tokens that fills with time, and those who wait for tokens, in order.
//
// Who waits stays in line until its tokens are there, so a large wish is not passed by small ones,
// and a wish that is cancelled has taken nothing. (Giving out the future as reservations, as Go's
// x/time/rate does, needs no line; but those behind a cancelled reservation wait for nothing.)
// Only the first in line has a timer, for the moment at which the bucket has what it wants. Whoever
// makes another the first, by serving or by leaving, calls it, and it sets its own timer
// (detail/timed_wait.hpp).

namespace cove {

class rate_limiter;

namespace detail {

/// The arithmetic: whole tokens and the part of the next one, exact for any rate.
class token_bucket {
 public:
  /// Full. Throws invalid_argument where a number is not above zero.
  token_bucket(std::size_t tokens, std::int64_t per_ns, std::size_t burst, std::int64_t now_ns);

  /// Adds what has come since the last time.
  void refill(std::int64_t now_ns) noexcept;
  /// When it will hold `count`, at most the burst; after refill().
  std::int64_t holds_at_ns(std::size_t count) const noexcept;

  bool take(std::size_t count) noexcept {
    if (count > held_) return false;
    held_ -= count;
    return true;
  }
  std::size_t held() const noexcept { return held_; }
  std::size_t burst() const noexcept { return burst_; }

 private:
  std::size_t tokens_;
  std::uint64_t per_ns_;
  std::size_t burst_;
  std::size_t held_;
  std::uint64_t part_ = 0;  ///< Of the next token, in 1 / per_ns.
  std::int64_t at_ns_;      ///< When it held that.
};

/// `co_await limiter.acquire(n)`.
class [[nodiscard]] rate_acquire : public timed_wait {
 public:
  rate_acquire(rate_limiter& from, std::size_t wanted);
  /// Before its start only.
  rate_acquire(rate_acquire&& other) noexcept;

  void await_resume() const { check_ended(); }
  /// Gives a result, and does not throw what stopped it.
  auto as_result() && noexcept { return result_of<rate_acquire>(std::move(*this)); }

 private:
  friend class cove::rate_limiter;

  static rate_acquire& of(timed_wait& self) noexcept { return static_cast<rate_acquire&>(self); }
  static bool look(timed_wait& self, std::int64_t now_ns, roused& owed) noexcept;
  static void left(timed_wait& self, roused& owed) noexcept;

  static const timed_type kind;

  rate_limiter* from_;
  std::size_t wanted_;
};

}  // namespace detail

/// Lets so much happen in a time: a bucket of tokens, which each use takes from.
///
///     cove::rate_limiter requests(100, 1s, 20);   // 100 a second, 20 at once
///     ...
///     co_await requests.acquire();
///     co_await send(request);
///
/// The bucket begins full, and tokens come one by one, evenly; what it cannot hold is lost. Who
/// waits is served in order: one who wants many is not passed by those who want few. Tokens are
/// used up, not given back: to bound how many do something at once take a semaphore.
///
/// Threads:  every function may be called by any thread, acquire() by tasks. The clock is that of
///           the caller: with virtual time make it inside its runtime.
/// Lifetime: must outlive those who wait.
class rate_limiter {
 public:
  /// `tokens` come in each `per`, and `burst` of them can be saved up.
  /// Errors: invalid_argument if one of them is not above zero.
  template <class Rep, class Period>
  rate_limiter(std::size_t tokens, std::chrono::duration<Rep, Period> per, std::size_t burst)
      : rate_limiter(tokens, detail::saturated_ns(per), burst) {}
  rate_limiter(const rate_limiter&) = delete;
  rate_limiter& operator=(const rate_limiter&) = delete;

  /// Waits until `count` tokens are there and takes them. 0 waits for its turn and takes none.
  ///
  /// Errors:       invalid_argument, thrown here, for more than the burst, which never comes;
  ///               canceled or deadline_exceeded.
  /// Cancellation: takes nothing; those behind move up. A deadline that comes before the tokens can
  ///               be there is waited for all the same.
  [[nodiscard]] detail::rate_acquire acquire(std::size_t count = 1) { return {*this, count}; }

  /// Takes `count` tokens if they are there and nobody waits; else takes none, and gives false.
  bool try_acquire(std::size_t count = 1) noexcept;

  /// How many tokens are there at the moment.
  std::size_t available() const noexcept;
  /// The most that can be saved up, and so the most that acquire() takes.
  std::size_t burst() const noexcept { return bucket_.burst(); }

 private:
  friend class detail::rate_acquire;

  rate_limiter(std::size_t tokens, std::int64_t per_ns, std::size_t burst);

  // Under lock_.
  void serve(std::int64_t now_ns, detail::roused& owed) noexcept;
  void call_first(detail::roused& owed) noexcept;

  mutable detail::spin_lock lock_;
  // Under lock_; its burst is constant.
  detail::token_bucket bucket_;
  detail::wait_list waiting_;
};

}  // namespace cove
