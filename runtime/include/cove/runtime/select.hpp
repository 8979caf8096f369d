#pragma once

#include <cove/runtime/detail/select_core.hpp>
#include <cove/runtime/result.hpp>
#include <cove/runtime/settled.hpp>
#include <cove/runtime/time.hpp>

#include <array>
#include <optional>
#include <tuple>
#include <variant>

namespace cove {

namespace detail {

template <class A>
concept listed_wait = requires { std::remove_reference_t<A>::as_case; };

/// What can be a case of a select.
template <class A>
concept selectable =
    library_awaitable<A> && !std::is_const_v<std::remove_reference_t<A>> &&
    (listed_wait<A> || std::derived_from<std::remove_reference_t<A>, sleep_awaiter>);

template <class A>
select_case case_of(A& operation, std::size_t index) noexcept {
  select_case made;
  made.index = index;
  if constexpr (listed_wait<A>) {
    COVE_CHECK(operation.phase == waiter::state::fresh,
               "an operation that has ended, or waits, was given to a select");
    made.who = &operation;
    made.moves = &A::as_case;
  } else {
    made.due_ns = operation.until_ns();
  }
  return made;
}

/// The operations as the core knows them, until they are moved.
template <class... As>
std::array<select_case, sizeof...(As)> cases_of(std::tuple<As...>& operations) noexcept {
  std::array<select_case, sizeof...(As)> cases;
  std::size_t count = 0;
  const auto add = [&](auto& operation) {
    cases[count] = case_of(operation, count);
    ++count;
  };
  std::apply([&](auto&... each) { (add(each), ...); }, operations);
  return cases;
}

/// The operations of a select: its own, or references to the caller's (where an A is one).
template <class... As>
class select_operations {
 public:
  using outcome = std::variant<present<awaited_t<std::remove_reference_t<As>>>...>;

  explicit select_operations(As&&... given) noexcept : operations_(std::forward<As>(given)...) {}

  std::span<select_case> cases() noexcept {
    cases_ = cases_of(operations_);
    return cases_;
  }

  /// What the one at `index`, which has ended, has to say.
  template <std::size_t I = 0>
  outcome take(std::size_t index) {
    if constexpr (I + 1 < sizeof...(As))
      if (index != I) return take<I + 1>(index);
    auto& operation = std::get<I>(operations_);
    if constexpr (std::is_void_v<decltype(operation.await_resume())>) {
      operation.await_resume();
      return outcome(std::in_place_index<I>);
    } else {
      return outcome(std::in_place_index<I>, operation.await_resume());
    }
  }

 private:
  std::tuple<As...> operations_;
  std::array<select_case, sizeof...(As)> cases_;
};

template <class... As>
class select_result_awaiter;

/// `co_await select(...)`.
template <class... As>
class [[nodiscard]] select_awaiter : public select_core {
 public:
  explicit select_awaiter(As&&... given) noexcept : operations_(std::forward<As>(given)...) {}
  /// Before its start only.
  select_awaiter(select_awaiter&&) noexcept = default;

  bool await_ready() noexcept { return start(operations_.cases()); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }
  auto await_resume() { return operations_.take(winner()); }

  /// Gives a result with the variant, and does not throw what is an error code.
  auto as_result() && noexcept { return select_result_awaiter<As...>(std::move(*this)); }

 private:
  select_operations<As...> operations_;
};

template <class... As>
class [[nodiscard]] select_result_awaiter : public select_awaiter<As...> {
 public:
  using outcome = typename select_operations<As...>::outcome;

  explicit select_result_awaiter(select_awaiter<As...>&& from) noexcept
      : select_awaiter<As...>(std::move(from)) {}

  result<outcome> await_resume() {
    if (this->stopped() != stop_reason::none) return code_of(this->stopped());
    try {
      return select_awaiter<As...>::await_resume();
    } catch (const std::system_error& e) {
      return e.code();
    }
  }
};

}  // namespace detail

/// Waits for several operations until one of them can be done, and does that one: what it does is
/// seen, the others have not begun. Gives a std::variant; its index() says which one it was, and it
/// holds what that operation gives (std::monostate for nothing).
///
///     auto first = co_await cove::select(jobs.receive(), results.send(next), stop.wait(),
///                                        cove::this_task::sleep_for(5s));
///     switch (first.index()) {
///       case 0: if (auto& job = std::get<0>(first)) work(*job); break;   // none: it was closed
///       case 1: next = make_result(); break;
///       case 2: co_return;
///       case 3: log("nothing for five seconds");
///     }
///
/// A case is what send() and receive() of a channel give, receive() of a oneshot and of a
/// broadcast, changed() of a watch, wait() of an event, acquire() of a semaphore, sleep_for() and
/// sleep_until(); where they have one, also its as_result(). (A mutex is none: who waits for it may
/// be passed by others, and would have begun; take a semaphore of 1. Reads and writes of streams
/// are for race().)
///
/// If several can be done it is any of them, so that none keeps the others from their turn. The
/// same channel may stand in several cases; a select that both sends and receives there does not
/// meet itself. Two selects can meet each other.
///
/// A case that is written into the call is gone afterwards: with it goes the value of a send that
/// was not done. A case that is a named operation is only referred to. If it was not done it is as
/// before, and may stand in the next select:
///
///     auto offer = results.send(std::move(next));
///     auto limit = cove::this_task::sleep_for(5s);   // from now on
///     for (;;) {
///       auto first = co_await cove::select(offer, jobs.receive(), limit);
///       if (first.index() != 1) co_return;   // else offer.report().unsent() has the value
///       ...
///     }
///
/// Errors:       those of the operation that was done, as if it had been awaited alone: a send to a
///               channel that is closed can be done, and reports closed. Else canceled or
///               deadline_exceeded; `select(...).as_result()` reports error codes without a throw.
/// Cancellation: nothing was done. A select for which one was done already gives that.
/// Threads:      a task; the other sides of its cases may be any task or thread.
/// Lifetime:     what the cases belong to must outlive the await, also where another was done.
template <detail::selectable... As>
  requires(sizeof...(As) > 0)
detail::select_awaiter<As...> select(As&&... operations) noexcept {
  return detail::select_awaiter<As...>(std::forward<As>(operations)...);
}

/// As select(), without waiting: looks at each operation once, and gives nothing if none could be
/// done.
///
///     auto first = cove::try_select(jobs.receive(), urgent.receive());
///     if (!first) do_something_else();
///
/// Errors:  those of the operation that was done.
/// Threads: any, also one that is no worker.
template <detail::selectable... As>
  requires(sizeof...(As) > 0)
auto try_select(As&&... operations) {
  detail::select_operations<As...> all(std::forward<As>(operations)...);
  using outcome = typename detail::select_operations<As...>::outcome;
  const detail::select_case* won = detail::select_core::try_each(all.cases());
  return won != nullptr ? std::optional<outcome>(all.take(won->index)) : std::nullopt;
}

}  // namespace cove
