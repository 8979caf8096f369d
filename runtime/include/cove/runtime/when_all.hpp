#pragma once

#include <cove/runtime/detail/children.hpp>

namespace cove {

namespace detail {

/// What when_all gives for a vector: nothing for nothing.
template <class T>
struct all_values {
  using type = std::vector<T>;
};
template <>
struct all_values<void> {
  using type = void;
};

template <class... Ts>
void start_filling(children& all, std::tuple<outcome_slot<present<Ts>>...>& slots,
                   task<Ts>&... parts) {
  std::apply([&](auto&... each) { (all.start(fill<Ts>, &each, std::move(parts)), ...); }, slots);
}
template <class... Ts>
std::tuple<present<Ts>...> take_values(std::tuple<outcome_slot<present<Ts>>...>& slots) {
  return std::apply([](auto&... each) { return std::tuple<present<Ts>...>(each.take()...); },
                    slots);
}

COVE_COROUTINE_TEMPLATES_BEGIN
template <class... Ts>
task<std::tuple<present<Ts>...>> all_of(task<Ts>... parts) {
  std::tuple<outcome_slot<present<Ts>>...> slots;
  children all(task_group::policy::scope);
  start_filling<Ts...>(all, slots, parts...);
  co_await all.ended();
  all.check();
  co_return take_values<Ts...>(slots);
}

template <class T>
task<typename all_values<T>::type> all_of(std::vector<task<T>> parts) {
  std::vector<outcome_slot<present<T>>> slots(parts.size());
  children all(task_group::policy::scope);
  for (std::size_t i = 0; i < parts.size(); ++i) all.start(fill<T>, &slots[i], std::move(parts[i]));
  co_await all.ended();
  all.check();
  if constexpr (!std::is_void_v<T>) {
    std::vector<T> values;
    values.reserve(slots.size());
    for (auto& each : slots) values.push_back(each.take());
    co_return values;
  }
}

template <class... Ts>
task<std::tuple<settled<Ts>...>> all_settled(task<Ts>... parts) {
  std::tuple<settling<Ts>...> slots;
  children all(task_group::policy::supervisor);
  start_settling(all, nullptr, slots, parts...);
  co_await all.ended();
  all.check_started();
  co_return take_all(slots);
}

template <class T>
task<std::vector<settled<T>>> all_settled(std::vector<task<T>> parts) {
  std::vector<settling<T>> slots(parts.size());
  children all(task_group::policy::supervisor);
  start_settling(all, nullptr, slots, parts);
  co_await all.ended();
  all.check_started();
  co_return take_all(slots);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Runs all of `operations` (tasks, join handles, operations of the library) at once, as child
/// tasks that may run on other workers, and gives all results in their order; what gives nothing
/// gives a std::monostate.
///
///     auto [user, orders] = co_await cove::when_all(load_user(id), load_orders(id));
///
/// The first failure cancels the others and is thrown here once all have ended. One that has not
/// begun by then never runs.
///
/// Errors:       the first failure; what ends because of it is none.
/// Cancellation: passes to all; throws canceled (or deadline_exceeded) when they have ended, unless
///               all delivered their results regardless.
/// Lifetime:     what the operations refer to must outlive the await.
template <detail::operand... As>
auto when_all(As... operations) -> task<std::tuple<detail::present<detail::awaited_t<As>>...>> {
  return detail::all_of(detail::as_task(std::move(operations))...);
}

/// The same for any number of tasks of one kind; gives a vector, or nothing for tasks that give
/// nothing.
template <class T>
auto when_all(std::vector<task<T>> tasks) -> task<typename detail::all_values<T>::type> {
  return detail::all_of(std::move(tasks));
}

/// Runs all of `operations` at once, as when_all, and tells how each of them ended. None is
/// cancelled because another one failed.
///
///     auto [mail, push] = co_await cove::when_all_settled(send_mail(order), send_push(order));
///     if (!mail) retry_later(mail.exception());
///
/// Errors:       only what keeps them from being started, such as std::bad_alloc.
/// Cancellation: passes to all, and is no exception here: those that it ended say so, the others
///               have their results, and the next await throws. Inside with_timeout this gives what
///               was ready in time.
/// Lifetime:     as when_all.
template <detail::operand... As>
auto when_all_settled(As... operations) -> task<std::tuple<settled<detail::awaited_t<As>>...>> {
  return detail::all_settled(detail::as_task(std::move(operations))...);
}

/// The same for any number of tasks of one kind.
template <class T>
auto when_all_settled(std::vector<task<T>> tasks) -> task<std::vector<settled<T>>> {
  return detail::all_settled(std::move(tasks));
}

}  // namespace cove
