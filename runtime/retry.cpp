#include <cove/runtime/retry.hpp>

#include "clock.hpp"

#include <cove/runtime/this_task.hpp>

#include <algorithm>

namespace cove::detail {
namespace {

void demand(bool holds, const char* what) {
  if (!holds) throw_error(std::make_error_code(std::errc::invalid_argument), "retry policy", what);
}

}  // namespace

backoff::backoff(const retry_policy& policy)
    : policy_(policy),
      left_(policy.attempts - 1),
      delay_ns_(static_cast<double>(policy.first_delay.count())),
      // Different for tasks that begin in the same moment.
      chance_(static_cast<std::uint64_t>(now_ns()) ^ (this_task::id() << 40)) {
  demand(policy.attempts >= 1, "attempts is 0; at least one is made");
  demand(policy.first_delay.count() >= 0, "first_delay is negative");
  demand(policy.most_delay.count() >= 0, "most_delay is negative");
  demand(policy.factor >= 1, "factor is below 1; delays do not shrink");
  demand(policy.jitter >= 0 && policy.jitter <= 1, "jitter is not within 0 and 1");
}

clock::duration backoff::next() noexcept {
  --left_;
  delay_ns_ = std::min(delay_ns_, static_cast<double>(policy_.most_delay.count()));
  const double delay_ns = delay_ns_ * (1 - policy_.jitter * part_of_chance());
  delay_ns_ *= policy_.factor;
  return std::chrono::duration_cast<clock::duration>(
      std::chrono::duration<double, std::nano>(std::min(delay_ns, 9.2e18)));
}

/// From 0 to 1.
///
/// Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators (OOPSLA 2014).
double backoff::part_of_chance() noexcept {
  chance_ += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = chance_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53;
}

std::error_code retriable(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const std::system_error& e) {
    const bool asked = e.code() == std::errc::operation_canceled || this_task::stop_requested();
    return asked ? std::error_code() : e.code();
  } catch (...) {
    return {};
  }
}

}  // namespace cove::detail
