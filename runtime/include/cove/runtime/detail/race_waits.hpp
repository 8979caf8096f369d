#pragma once

#include <cove/runtime/detail/children.hpp>
#include <cove/runtime/select.hpp>

// A race of operations that a select takes: the task waits for all of them itself. What a select
// does not do is to go on when one has failed. So this selects again, among those that are left,
// until one succeeds; the others have not begun, so there is nothing to cancel and to wait for.

namespace cove::detail {

/// Selects among what is left of a race.
class [[nodiscard]] race_wait : public select_core {
 public:
  explicit race_wait(std::span<select_case> left) noexcept : left_(left) {}

  bool await_ready() noexcept { return start(left_); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }
  /// Which one was done; it is out of the race.
  std::size_t await_resume() const { return winner(); }

 private:
  std::span<select_case> left_;
};

/// Keeps how an operation that was done has ended.
template <class A>
void settle_wait(A& operation, settling<awaited_t<A>>& slot) noexcept {
  try {
    if constexpr (std::is_void_v<awaited_t<A>>) {
      operation.await_resume();
      slot.value.emplace(std::monostate());
    } else {
      slot.value.emplace(operation.await_resume());
    }
  } catch (...) {
    slot.failure = std::current_exception();
  }
}

/// The same for the one at `index`. Gives its failure; null if it succeeded.
template <std::size_t I = 0, class Operations, class Slots>
std::exception_ptr settle_at(std::size_t index, Operations& operations, Slots& slots) noexcept {
  if constexpr (I + 1 < std::tuple_size_v<Operations>)
    if (index != I) return settle_at<I + 1>(index, operations, slots);
  settle_wait(std::get<I>(operations), std::get<I>(slots));
  return std::get<I>(slots).failure;
}

/// Takes the case at `index` out.
std::span<select_case> without(std::span<select_case> cases, std::size_t index) noexcept;

}  // namespace cove::detail
