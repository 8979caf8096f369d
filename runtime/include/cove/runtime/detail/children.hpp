#pragma once

#include <cove/runtime/detail/awaited.hpp>
#include <cove/runtime/scope.hpp>
#include <cove/runtime/settled.hpp>

#include <tuple>
#include <vector>

// What when_all, when_all_settled and race are made of: child tasks that leave what they got in the
// frame of the task that waits for them.
//
//   1. the slots stand in the waiting coroutine, and behind them (so that it goes first) the group
//   2. start() makes a child of every operand; a child fills its slot and nothing else
//   3. `co_await ended()` waits for all of them, whatever is asked meanwhile: a slot is written
//      before its child leaves the group, under the group's lock, and read after the last has left
//   4. the waiting coroutine decides what the slots mean
//
// Nobody holds a handle of a child, so nothing of it is left when the group has ended. A child that
// was asked to end before it began never ran and leaves its slot empty.

namespace cove::detail {

/// The group of one combinator, open in the task that runs for as long as this lives in its frame.
class children {
 public:
  explicit children(task_group::policy kind) : group_(kind), open_(group_) {}

  /// Starts `f(args...)` as a child. One that cannot be started is a failure of the whole, and no
  /// further one is begun.
  template <class F, class... Args>
  void start(F f, Args... args) noexcept {
    if (refused_) return;
    try {
      spawn_into(group_, false, f, std::move(args)...).detach();
    } catch (...) {
      refused_ = true;
      fail_group(group_, std::current_exception(), false);
    }
  }

  /// Waits until all have ended.
  group_join ended() noexcept { return group_join(group_); }

  /// After that: throws the first failure, or the request from outside that ended a child.
  void check() { rethrow_group(group_, true); }
  /// After that: throws only if a child could not be started.
  void check_started() {
    if (refused_) check();
  }

  task_group& group() noexcept { return group_; }

 private:
  task_group group_;
  open_group open_;
  bool refused_ = false;
};

template <class A>
inline constexpr bool is_join_handle = false;
template <class T>
inline constexpr bool is_join_handle<join_handle<T>> = true;

/// What can be handed to a combinator.
template <class A>
concept operand = is_task<A>::value || is_join_handle<A> || library_awaitable<A>;

class race_line;

/// Where a child leaves how it ended.
struct settling_base {
  std::exception_ptr failure;
  std::size_t index = 0;
  race_line* line = nullptr;  ///< Whom it tells; null if nobody is in a hurry.
};
template <class T>
struct settling : settling_base {
  outcome_slot<present<T>> value;

  settled<T> take() {
    if (value.has_value()) return settled<T>(std::in_place, value.take());
    if (!failure) failure = never_ran();
    return settled<T>(std::move(failure));
  }

 private:
  static std::exception_ptr never_ran() { return std::make_exception_ptr(canceled("start")); }
};

/// The child has settled: the race, if it is one, hears of it.
void arrive(settling_base& who) noexcept;

COVE_COROUTINE_TEMPLATES_BEGIN
/// Keeps the value of `part`.
template <class T>
task<> fill(outcome_slot<present<T>>* slot, task<T> part) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(part);
    slot->emplace(std::monostate());
  } else {
    slot->emplace(co_await std::move(part));
  }
}

/// Keeps how `part` ended.
template <class T>
task<> settle(settling<T>* slot, task<T> part) {
  try {
    co_await fill<T>(&slot->value, std::move(part));
  } catch (...) {
    slot->failure = std::current_exception();
  }
  arrive(*slot);
}
COVE_COROUTINE_TEMPLATES_END

/// Starts a child for each of `parts`, with its slot.
template <class... Slots, class... Ts>
void start_settling(children& all, race_line* line, std::tuple<Slots...>& slots,
                    task<Ts>&... parts) {
  std::size_t index = 0;
  const auto begin = [&]<class T>(settling<T>& slot, task<T>& part) {
    slot.index = index++;
    slot.line = line;
    all.start(settle<T>, &slot, std::move(part));
  };
  std::apply([&](Slots&... each) { (begin(each, parts), ...); }, slots);
}
template <class T>
void start_settling(children& all, race_line* line, std::vector<settling<T>>& slots,
                    std::vector<task<T>>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    slots[i].index = i;
    slots[i].line = line;
    all.start(settle<T>, &slots[i], std::move(parts[i]));
  }
}

/// How all of them ended.
template <class... Ts>
std::tuple<settled<Ts>...> take_all(std::tuple<settling<Ts>...>& slots) {
  return std::apply(
      [](settling<Ts>&... each) { return std::tuple<settled<Ts>...>(each.take()...); }, slots);
}
template <class T>
std::vector<settled<T>> take_all(std::vector<settling<T>>& slots) {
  std::vector<settled<T>> all;
  all.reserve(slots.size());
  for (settling<T>& each : slots) all.push_back(each.take());
  return all;
}

}  // namespace cove::detail
