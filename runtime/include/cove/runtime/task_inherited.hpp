#pragma once

#include <cove/runtime/detail/binding.hpp>

namespace cove {

template <class T>
class task_inherited;

namespace detail {

template <class T>
struct shared_value_of final : shared_value, pooled {
  shared_value_of(const void* of, T given)
      : shared_value(of, open_binding::shared_now(), drop), held(std::move(given)) {
    value = __builtin_addressof(held);
    retain(outer);
  }

  T held;

 private:
  static void drop(shared_value& which) noexcept { delete static_cast<shared_value_of*>(&which); }
};

COVE_COROUTINE_TEMPLATES_BEGIN
template <class T, class A>
task<awaited_t<A>> run_with_inherited(const task_inherited<T>* variable, T value, A operation) {
  const open_binding bound(*new shared_value_of<T>(variable, std::move(value)));
  co_return co_await std::move(operation);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// A variable whose value goes on to the tasks that are spawned: on whose behalf something is done,
/// for logs, traces and the like.
///
///     inline cove::task_inherited<std::string> request_id;
///
///     co_await request_id.with(read_id(head), handle(peer));
///     ...
///     if (const std::string* id = request_id.get()) log(*id, text);   // in handle()
///
/// A task begins with the values that its spawner has where it calls spawn, whichever spawn that
/// is: into a scope, a supervisor, the runtime, or detached. (Deadlines and cancellation come from
/// where the scope stands, for they belong to the job. This belongs to the one who asks.) Inside
/// one task it is as task_local. A task that is spawned outside of any task begins without.
///
/// Tasks share the value, so it is constant; let it hold what has a lock of its own where they
/// shall change something. What serves everybody, such as a pool that is begun on demand, would
/// keep the values of its first user: begin it elsewhere, or with values of its own.
///
/// Threads:  any task, on any worker and in any runtime; outside of a task there are no values.
/// Lifetime: a value lives until its await and every task that began inside have ended; the last of
///           them destroys it, on its worker. The variable itself must outlive its values; at
///           namespace scope, as a rule.
template <class T>
class task_inherited {
  static_assert(std::is_object_v<T>, "a task variable holds an object");

 public:
  constexpr task_inherited() noexcept = default;
  task_inherited(const task_inherited&) = delete;
  task_inherited& operator=(const task_inherited&) = delete;

  /// Awaits `operation` (a task, a join handle or an operation of the library) with this value; the
  /// innermost one counts.
  ///
  /// Errors, Cancellation: those of the operation.
  template <class A>
  auto with(T value, A operation) const -> task<detail::awaited_t<A>> {
    return detail::run_with_inherited<T, A>(this, std::move(value), std::move(operation));
  }

  /// The value where the task stands; null if it has none.
  const T* get() const noexcept { return static_cast<const T*>(detail::inherited_value(this)); }
};

}  // namespace cove
