#pragma once

#include <cove/runtime/time.hpp>

namespace cove {

class interval;

/// What an interval does about ticks for which nobody was there in time.
enum class missed_tick : std::uint8_t {
  /// They follow one after another, without a pause, until the interval has caught up: as many
  /// ticks as periods have passed.
  burst,
  /// The next one comes a period after the late one, and the schedule moves: never two closer than
  /// a period. (A tick counts as late beyond a quarter of the period, or 5 ms; less is what timers
  /// are late by themselves, and would make it drift.)
  delay,
  /// They are left out; the next one comes where the schedule has it.
  skip,
};

namespace detail {

/// `co_await interval.tick()`.
class [[nodiscard]] interval_tick : public sleep_awaiter {
 public:
  explicit interval_tick(interval& of) noexcept;
  /// Before its start only.
  interval_tick(interval_tick&& other) noexcept : interval_tick(*other.of_) {}

  clock::time_point await_resume();
  /// Gives a result, and does not throw what stopped it.
  auto as_result() && noexcept { return result_of<interval_tick>(std::move(*this)); }

 private:
  interval* of_;
};

}  // namespace detail

/// Ticks, a period apart.
///
///     cove::interval every(10s, cove::missed_tick::skip);
///     for (;;) {
///       co_await every.tick();   // the first one at once
///       publish(collect());
///     }
///
/// The schedule is fixed when the interval is made: the first tick then (or when the constructor is
/// told), each further one a period after the one before, however long the work in between takes.
/// So it does not drift. Where the work takes longer than a period, missed_tick decides.
///
/// Threads: one task at a time; not always the same one.
class interval {
 public:
  /// The first tick comes at once.
  /// Errors: invalid_argument for a period that is not longer than zero.
  template <class Rep, class Period>
  explicit interval(std::chrono::duration<Rep, Period> period,
                    missed_tick missed = missed_tick::burst)
      : interval(clock::now(), period, missed) {}

  /// The first tick comes at `first`; a moment that has passed is a missed tick.
  template <class Rep, class Period>
  interval(clock::time_point first, std::chrono::duration<Rep, Period> period,
           missed_tick missed = missed_tick::burst)
      : interval(first, detail::saturated_ns(period), missed) {}

  /// Waits for the next tick and gives the moment for which it was due. Gives way at least once,
  /// also where ticks follow in a burst.
  ///
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: loses no tick: one that was not given is the next one's.
  [[nodiscard]] detail::interval_tick tick() noexcept { return detail::interval_tick(*this); }

  /// Begins a new schedule: the next tick comes a period from now.
  void reset() noexcept { next_ns_ = detail::moment_after(period_ns_); }
  /// The same with the next tick at `next`.
  void reset(clock::time_point next) noexcept;

  /// As it was made.
  clock::duration period() const noexcept { return clock::duration(period_ns_); }
  /// As it was made.
  missed_tick missed() const noexcept { return missed_; }
  /// When the next tick is due.
  clock::time_point next() const noexcept { return clock::time_point(clock::duration(next_ns_)); }

 private:
  friend class detail::interval_tick;

  interval(clock::time_point first, std::int64_t period_ns, missed_tick missed);
  /// The tick that was due was given: goes on to the next one.
  void advance(std::int64_t now_ns) noexcept;

  std::int64_t next_ns_;
  std::int64_t period_ns_;
  missed_tick missed_;
};

}  // namespace cove
