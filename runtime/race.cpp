#include <cove/runtime/race.hpp>

namespace cove::detail {

void arrive(settling_base& who) noexcept {
  if (who.line != nullptr) who.line->arrive(who);
}

void race_line::arrive(const settling_base& who) noexcept {
  std::size_t none = nobody;
  if (!who.failure) {
    if (first_.compare_exchange_strong(none, who.index, std::memory_order_relaxed))
      cancel_group(runners_);
  } else if (is_unwinding(who.failure)) {
    const spin_guard members(runners_.lock);
    runners_.unwound = true;
  } else if (first_failed_.compare_exchange_strong(none, who.index, std::memory_order_relaxed)) {
    failure_ = who.failure;
  }
}

std::size_t race_line::winner() {
  const std::size_t first = first_.load(std::memory_order_relaxed);
  if (first != nobody) return first;
  rethrow_group(runners_, true);
  std::rethrow_exception(failure_);
}

std::span<select_case> without(std::span<select_case> cases, std::size_t index) noexcept {
  for (select_case& each : cases)
    if (each.index == index) std::swap(each, cases.back());
  return cases.first(cases.size() - 1);
}

void refuse_empty_race() {
  throw_error(std::make_error_code(std::errc::invalid_argument), "race of no tasks",
              "a race needs somebody who can win");
}

}  // namespace cove::detail
