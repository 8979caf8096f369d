#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/race_waits.hpp>

namespace cove {

/// How a race ended.
template <class Results>
struct [[nodiscard]] race_result {
  race_result(std::size_t first, Results all) : index(first), results(std::move(all)) {}

  /// Who succeeded first.
  std::size_t index;
  /// How each of them ended, a tuple or vector of settled<T>: the winner's value, values that
  /// others reached all the same, failures, and cancellations.
  Results results;
};

namespace detail {

/// Who came first. Children arrive on any worker; the owner asks when all of them have ended.
class race_line {
 public:
  explicit race_line(task_group& runners) noexcept : runners_(runners) {}
  race_line(const race_line&) = delete;
  race_line& operator=(const race_line&) = delete;

  /// A runner, as itself: the first success cancels the others.
  void arrive(const settling_base& who) noexcept;

  /// Owner, at the end: the winner. Without one throws the request that came from outside, else the
  /// first failure.
  std::size_t winner();

 private:
  static constexpr std::size_t nobody = SIZE_MAX;

  task_group& runners_;
  /// nobody -> the first to succeed, to fail; never back. Relaxed: the end of the group publishes
  /// what they stand for.
  detail::atomic<std::size_t> first_{nobody};
  detail::atomic<std::size_t> first_failed_{nobody};
  std::exception_ptr failure_;  ///< Of whoever set `first_failed_`.
};

[[noreturn]] void refuse_empty_race();

COVE_COROUTINE_TEMPLATES_BEGIN
template <class... Ts>
task<race_result<std::tuple<settled<Ts>...>>> first_of(task<Ts>... parts) {
  std::tuple<settling<Ts>...> slots;
  children all(task_group::policy::supervisor);
  race_line line(all.group());
  start_settling(all, &line, slots, parts...);
  co_await all.ended();
  const std::size_t winner = line.winner();
  co_return race_result<std::tuple<settled<Ts>...>>(winner, take_all(slots));
}

template <class... As>
task<race_result<std::tuple<settled<awaited_t<As>>...>>> first_of_waits(As... waits) {
  std::tuple<As&...> operations(waits...);
  std::tuple<settling<awaited_t<As>>...> slots;
  std::array<select_case, sizeof...(As)> cases = cases_of(operations);
  std::span<select_case> left(cases);
  std::exception_ptr first_failure;
  while (!left.empty()) {
    race_wait wait(left);
    const std::size_t index = co_await wait;
    const std::exception_ptr failure = settle_at(index, operations, slots);
    if (!failure)
      co_return race_result<std::tuple<settled<awaited_t<As>>...>>(index, take_all(slots));
    if (!first_failure) first_failure = failure;
    left = without(left, index);
  }
  std::rethrow_exception(first_failure);
}

template <class T>
task<race_result<std::vector<settled<T>>>> first_of(std::vector<task<T>> parts) {
  if (parts.empty()) refuse_empty_race();
  std::vector<settling<T>> slots(parts.size());
  children all(task_group::policy::supervisor);
  race_line line(all.group());
  start_settling(all, &line, slots, parts);
  co_await all.ended();
  const std::size_t winner = line.winner();
  co_return race_result<std::vector<settled<T>>>(winner, take_all(slots));
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Runs all of `operations` (tasks, join handles, operations of the library) at once, as child
/// tasks that may run on other workers, until one of them succeeds; the others are cancelled and
/// waited for. What losers reached all the same is not lost: it stands in the results.
///
/// Where a select() would take all of them, no child is made: this task waits for them. Operations
/// on descriptors need a child each. One in flight may have moved bytes when it is told to end, so
/// it is driven until its outcome is known, and that by its own task: a task has one parking word,
/// and its completion means the one operation that it stands in.
///
///     auto ended = co_await cove::race(peer.receive(), cove::this_task::sleep_for(30s));
///     if (ended.index == 1) co_return;   // silent for too long
///
/// Errors:       if none succeeded, the first failure; what a request ended has not failed.
///               invalid_argument for an empty vector.
/// Cancellation: passes to all; throws canceled (or deadline_exceeded) when they have ended, unless
///               one succeeded regardless.
/// Lifetime:     what the operations refer to must outlive the await.
template <detail::operand... As>
  requires(sizeof...(As) > 0)
auto race(As... operations) -> task<race_result<std::tuple<settled<detail::awaited_t<As>>...>>> {
  if constexpr ((detail::selectable<As> && ...))
    return detail::first_of_waits<As...>(std::move(operations)...);
  else
    return detail::first_of(detail::as_task(std::move(operations))...);
}

/// The same for any number of tasks of one kind.
template <class T>
auto race(std::vector<task<T>> tasks) -> task<race_result<std::vector<settled<T>>>> {
  return detail::first_of(std::move(tasks));
}

}  // namespace cove
