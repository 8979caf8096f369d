#include <cove/runtime/this_task.hpp>

#include <cove/runtime/error.hpp>

namespace cove {
namespace detail {

void throw_stopped(stop_reason why, const char* operation_name) {
  throw_error(code_of(why), operation_name);
}

}  // namespace detail

namespace this_task {

std::uint64_t id() noexcept {
  const detail::task_ctl* task = detail::current_task();
  return task != nullptr ? task->id : 0;
}

std::string_view name() noexcept {
  const detail::task_ctl* task = detail::current_task();
  if (task == nullptr) return {};
  const char* given = task->name.load(std::memory_order_relaxed);
  return given != nullptr ? given : task->place.load(std::memory_order_relaxed).function_name();
}

void set_name(const char* name) noexcept {
  if (detail::task_ctl* task = detail::current_task(); task != nullptr)
    task->name.store(name, std::memory_order_relaxed);
}

bool stop_requested() noexcept {
  detail::task_ctl* task = detail::current_task();
  return task != nullptr && detail::glance(*task) != detail::stop_reason::none;
}

}  // namespace this_task
}  // namespace cove
