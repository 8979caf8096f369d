#pragma once

#include <cove/runtime/scope.hpp>
#include <cove/runtime/semaphore.hpp>

#include <iterator>

namespace cove {

namespace detail {

void check_concurrency(std::size_t limit);

/// How a child gets its element: where it stands, if the range keeps it, else as its own.
template <class Range>
using handed_element =
    std::conditional_t<std::is_lvalue_reference_v<decltype(*std::begin(std::declval<Range&>()))> &&
                           std::forward_iterator<decltype(std::begin(std::declval<Range&>()))>,
                       std::remove_reference_t<decltype(*std::begin(std::declval<Range&>()))>&,
                       std::remove_cvref_t<decltype(*std::begin(std::declval<Range&>()))>>;

/// A reference among the arguments of a child, which are values.
template <class E>
class element_holder {
 public:
  explicit element_holder(E element) : element_(std::forward<E>(element)) {}
  E&& get() noexcept { return static_cast<E&&>(element_); }

 private:
  E element_;
};

template <class Range, class F>
concept concurrent_body = is_task<std::invoke_result_t<F&, handed_element<Range>>>::value;

COVE_COROUTINE_TEMPLATES_BEGIN
/// The body of the scope: the range is walked by one task alone.
template <class Range, class F>
task<> start_each(scope* parts, semaphore* places, std::remove_reference_t<Range>* range, F* f) {
  using element = handed_element<Range>;
  // The place stays among the child's arguments, which go when it has ended.
  const auto begin = [](F* call, element_holder<element> held, const semaphore_permits&) {
    return (*call)(held.get());
  };
  auto end = std::end(*range);
  for (auto at = std::begin(*range); at != end; ++at) {
    auto place = co_await places->acquire();
    element_holder<element> held(*at);
    parts->spawn(begin, f, std::move(held), std::move(place)).detach();
  }
}

template <class Range, class F>
task<> run_each(Range range, std::size_t limit, F f) {
  check_concurrency(limit);
  semaphore places(limit);
  auto body = [&places, &range, &f](scope& parts) {
    return start_each<Range, F>(&parts, &places, &range, &f);
  };
  co_await with_scope(body);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Calls `f(element)`, a coroutine, for each element of `range`, each in a child task of its own
/// that may run on another worker, at most `limit` at the same time. Ends when all have ended.
///
///     const auto fetch = [&](const url& from) -> cove::task<> { ... };
///     co_await cove::for_each_concurrent(urls, 8, fetch);
///
/// Elements are begun in their order. The range is walked by one task; an element that the range
/// keeps is passed by reference, one that it makes (or reads) on the way by value.
///
/// Errors:       the first failure, which cancels the others; invalid_argument for a limit of 0.
/// Cancellation: begins no further element and passes to those that were begun; throws canceled
///               (or deadline_exceeded) when they have ended.
/// Threads:      `f` is called by several workers at once.
/// Lifetime:     `f` lives until the end, so its captures may be used; on GCC 12 name a lambda that
///               captures by value before the co_await. A range given as an lvalue must outlive the
///               await, one given as an rvalue is moved in.
template <class Range, class F>
  requires detail::concurrent_body<Range, F>
task<> for_each_concurrent(Range&& range, std::size_t limit, F f) {
  return detail::run_each<Range, F>(std::forward<Range>(range), limit, std::move(f));
}

}  // namespace cove
