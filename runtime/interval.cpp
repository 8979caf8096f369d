#include <cove/runtime/interval.hpp>

#include "clock.hpp"

#include <algorithm>

namespace cove {
namespace {

/// Where timers are late by more than this, it was the task that came late.
constexpr std::int64_t late_ns = 5'000'000;

/// Moments before the clock began would overflow in sums, and have all passed alike.
std::int64_t since_start(clock::time_point moment) noexcept {
  return std::max<std::int64_t>(moment.time_since_epoch().count(), 0);
}

/// A moment beyond the end of time is never.
std::int64_t later_by(std::int64_t moment_ns, std::int64_t by_ns) noexcept {
  return moment_ns > detail::never_ns - by_ns ? detail::never_ns : moment_ns + by_ns;
}

}  // namespace

interval::interval(clock::time_point first, std::int64_t period_ns, missed_tick missed)
    : next_ns_(since_start(first)), period_ns_(period_ns), missed_(missed) {
  if (period_ns <= 0)
    detail::throw_error(std::make_error_code(std::errc::invalid_argument),
                        "interval with a period of " + std::to_string(period_ns) + " ns",
                        "it has to be longer than zero");
}

void interval::reset(clock::time_point next) noexcept { next_ns_ = since_start(next); }

void interval::advance(std::int64_t now_ns) noexcept {
  const std::int64_t late = now_ns - next_ns_;
  switch (missed_) {
    case missed_tick::burst: break;
    case missed_tick::delay:
      if (late > std::min(period_ns_ / 4, late_ns)) next_ns_ = now_ns;
      break;
    case missed_tick::skip: next_ns_ += late / period_ns_ * period_ns_; break;
  }
  next_ns_ = later_by(next_ns_, period_ns_);
}

namespace detail {

interval_tick::interval_tick(interval& of) noexcept : sleep_awaiter(of.next_ns_), of_(&of) {}

clock::time_point interval_tick::await_resume() {
  sleep_awaiter::await_resume();
  const clock::time_point due = of_->next();
  of_->advance(now_ns());
  return due;
}

}  // namespace detail
}  // namespace cove
