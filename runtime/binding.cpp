#include <cove/runtime/detail/binding.hpp>

namespace cove::detail {

shared_value* retain(shared_value* which) noexcept {
  if (which != nullptr) which->count.fetch_add(1, std::memory_order_relaxed);
  return which;
}

void release(shared_value* which) noexcept {
  // acq_rel: the last one sees what others did with the value before they let go.
  while (which != nullptr && which->count.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    shared_value* next = which->outer;
    which->destroy(*which);
    which = next;
  }
}

void* local_value(const void* variable) noexcept {
  const task_ctl* task = current_task();
  if (task == nullptr) return nullptr;
  for (const binding* each = task->bindings; each != nullptr; each = each->outer)
    if (each->variable == variable) return each->value;
  return nullptr;
}

const void* inherited_value(const void* variable) noexcept {
  for (const shared_value* each = open_binding::shared_now(); each != nullptr; each = each->outer)
    if (each->variable == variable) return each->value;
  return nullptr;
}

shared_value* open_binding::shared_now() noexcept {
  const task_ctl* task = current_task();
  return task != nullptr && task->bindings != nullptr ? task->bindings->shared : nullptr;
}

open_binding::open_binding(const void* variable, void* value) noexcept
    : task_(*current_task()), link_{variable, value, shared_now(), task_.bindings} {
  task_.bindings = &link_;
}

open_binding::open_binding(shared_value& made) noexcept
    : task_(*current_task()), link_{nullptr, nullptr, &made, task_.bindings} {
  task_.bindings = &link_;
}

open_binding::~open_binding() {
  COVE_ASSERT(task_.bindings == &link_);
  task_.bindings = link_.outer;
  if (link_.variable == nullptr) release(link_.shared);
}

}  // namespace cove::detail
