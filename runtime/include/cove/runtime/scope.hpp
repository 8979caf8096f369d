#pragma once

#include <cove/runtime/detail/coroutine_templates.hpp>
#include <cove/runtime/spawn.hpp>

namespace cove {

namespace detail {

template <class T>
struct is_task : std::false_type {};
template <class T>
struct is_task<task<T>> : std::true_type {};

/// What the two kinds of group share.
class group_owner {
 public:
  explicit group_owner(task_group::policy kind) noexcept : group_(kind) {}
  group_owner(const group_owner&) = delete;
  group_owner& operator=(const group_owner&) = delete;

  task_group group_;
};

/// Opens the group in the task that runs; closes it when the frame goes.
class open_group {
 public:
  explicit open_group(task_group& group);
  open_group(const open_group&) = delete;
  open_group& operator=(const open_group&) = delete;
  ~open_group();

 private:
  task_group& group_;
};

/// Waits, unbroken by requests, until every task of the group has ended.
class group_join : public awaitable_base, public operation {
 public:
  explicit group_join(task_group& group) noexcept;
  group_join(group_join&&) = delete;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }
  void await_resume() const noexcept {}

  task_group& group;
};

/// The body failed: its failure is kept if it is the first, and everything in the group is asked to
/// end.
void fail_group(task_group& group, std::exception_ptr failure, bool unwound) noexcept;
/// Is this exception only a request passing through the task that runs?
bool is_unwinding(const std::exception_ptr& failure) noexcept;
/// What the group owes its owner: the first failure; or the request that ended a task of it.
/// `complete`: the body delivered its result.
void rethrow_group(task_group& group, bool complete);

/// Any thread: asks everything in the group to end.
void cancel_group(task_group& group) noexcept;

/// Runs `body(owner)` inside the group, then waits for all of it.
template <class Owner, class F>
auto run_group(Owner& owner, F& body) -> std::invoke_result_t<F&, Owner&>;

}  // namespace detail

/// The tasks that are parts of one job; what with_scope hands to its body.
///
/// Threads:  spawn from the body and from tasks of the scope; cancel from anywhere inside it.
/// Lifetime: ends with with_scope; a task of the scope may hold a reference to it.
class scope : private detail::group_owner {
 public:
  /// For with_scope.
  scope() noexcept : group_owner(detail::task_group::policy::scope) {}

  /// Starts `f(args...)` as a part of this job; see cove::spawn. It inherits deadlines and
  /// cancellation from where the scope stands. Its failure always fails the scope, joined or not.
  template <class F, class... Args>
    requires detail::spawnable<F, Args...>
  join_handle<detail::spawned_value<F, Args...>> spawn(F&& f, Args&&... args) {
    return detail::spawn_into(group_, false, std::forward<F>(f), std::forward<Args>(args)...);
  }

  /// Asks the body and all tasks of the scope to end. What ends because of that is no failure.
  void cancel() noexcept { detail::cancel_group(group_); }

 private:
  template <class Owner, class F>
  friend auto detail::run_group(Owner& owner, F& body) -> std::invoke_result_t<F&, Owner&>;
};

COVE_COROUTINE_TEMPLATES_BEGIN
/// Runs `body(scope&)`, a coroutine that may spawn parts of its job into the scope, and ends when
/// the body and all parts have ended.
///
///     co_await cove::with_scope([&](cove::scope& parts) -> cove::task<> {
///       parts.spawn(fetch, first);
///       parts.spawn(fetch, second);
///       co_return;
///     });
///
/// The first failure, of the body or of a part, cancels everything else in the scope and is thrown
/// here once all has ended.
///
/// Errors:       the first failure.
/// Cancellation: passes to the body and all parts; throws canceled (or deadline_exceeded) when they
///               have ended.
/// Lifetime:     the body lives until the end; on GCC 12 name a lambda that captures by value
///               before you write it into a co_await expression.
template <class F>
  requires detail::is_task<std::invoke_result_t<F&, scope&>>::value
auto with_scope(F body) -> std::invoke_result_t<F&, scope&> {
  scope parts;
  co_return co_await detail::run_group(parts, body);
}

namespace detail {

template <class Owner, class F>
auto run_group(Owner& owner, F& body) -> std::invoke_result_t<F&, Owner&> {
  using value = typename std::invoke_result_t<F&, Owner&>::value_type;
  task_group& group = owner.group_;
  const open_group open(group);
  std::exception_ptr failure;
  if constexpr (std::is_void_v<value>) {
    try {
      co_await body(owner);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) fail_group(group, failure, is_unwinding(failure));
    co_await group_join(group);
    rethrow_group(group, !failure);
  } else {
    outcome_slot<value> made;
    try {
      made.emplace(co_await body(owner));
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) fail_group(group, failure, is_unwinding(failure));
    co_await group_join(group);
    rethrow_group(group, !failure);
    if (!made.has_value()) std::rethrow_exception(failure);
    co_return made.take();
  }
}

}  // namespace detail
COVE_COROUTINE_TEMPLATES_END
}  // namespace cove
