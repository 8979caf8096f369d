#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/awaited.hpp>
#include <cove/runtime/detail/pooled.hpp>

// The values of task variables, as a task sees them.
//
// A binding lives in the coroutine frame that gave the variable its value, and is linked into its
// task while what that coroutine awaits runs. Frames of a task nest, so bindings do, and the task
// needs one pointer: to the innermost. Looking up walks outwards; there are as many as the task is
// deep in with(), which is few.
//
// What children inherit cannot stand in a frame, for a child may outlive it. Such a value is an
// object of its own, counted, with a link to the next one outwards: a list that only grows at its
// head, so a child shares all of it for the price of one count. Every binding says which of these
// its task sees from there. Each has a binding in it, to stand at the outer end of the tasks that
// began with it.
//
//     task -> binding -> binding -> base of `a`        with(a) around the spawn that made the task,
//                |          |          |               then with(b), inherited, and with(c), not
//             shared: b -> a     shared: a
//
// A binding is touched by its task alone, and shared values are constant: no locks.

namespace cove::detail {

struct shared_value;

struct binding {
  const void* variable = nullptr;  ///< Whose value it is; null if it only says what is shared.
  void* value = nullptr;
  shared_value* shared = nullptr;  ///< What is inherited, seen from here; innermost first.
  binding* outer = nullptr;
};

/// A value that tasks inherit.
struct shared_value {
  const void* variable;
  const void* value = nullptr;
  shared_value* outer;  ///< Counted.
  binding base;
  void (*destroy)(shared_value&) noexcept;
  atomic<std::uint32_t> count{1};

  shared_value(const void* of, shared_value* next, void (*ends)(shared_value&) noexcept) noexcept
      : variable(of), outer(next), base{nullptr, nullptr, this, nullptr}, destroy(ends) {}
};

/// Null where there is nothing to share.
shared_value* retain(shared_value* which) noexcept;
void release(shared_value* which) noexcept;

/// Owner of both: the new task inherits from the one that spawns it.
inline void inherit(task_ctl& child, const task_ctl& from) noexcept {
  if (from.bindings != nullptr && from.bindings->shared != nullptr)
    child.bindings = &retain(from.bindings->shared)->base;
}
/// Owner: the task has ended.
inline void drop_bindings(task_ctl& task) noexcept {
  if (task.bindings != nullptr) release(std::exchange(task.bindings, nullptr)->shared);
}

/// The value of the variable in the task that runs; null if it has none.
void* local_value(const void* variable) noexcept;
const void* inherited_value(const void* variable) noexcept;

/// A binding, linked into the task that runs for as long as this lives in its frame.
class open_binding {
 public:
  /// The task's own.
  open_binding(const void* variable, void* value) noexcept;
  /// Inherited; made by the caller with what the task inherits so far, and released with this.
  explicit open_binding(shared_value& made) noexcept;
  open_binding(const open_binding&) = delete;
  open_binding& operator=(const open_binding&) = delete;
  ~open_binding();

  /// What the task that runs inherits so far.
  static shared_value* shared_now() noexcept;

 private:
  task_ctl& task_;
  binding link_;
};

}  // namespace cove::detail
