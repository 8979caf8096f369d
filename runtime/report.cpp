#include <cove/runtime/detail/log.hpp>

#include "state.hpp"

#include <cstring>

// What a hanging or stopping program says of its tasks. The tree is walked from the runtime's own
// group downwards, each group under its lock; a task's present wait is read without being its
// owner, so only what a task publishes for reports is looked at.

namespace cove::detail {
namespace {

std::string place_text(const std::source_location& place) {
  if (place.line() == 0) return "not started";
  const char* file = place.file_name();
  if (const char* slash = std::strrchr(file, '/'); slash != nullptr) file = slash + 1;
  return std::string(file) + ":" + std::to_string(place.line());
}

/// `cove::task<> session(cove::net::tcp_stream)` -> `session`.
std::string short_name(std::string_view signature) {
  // Clang's `(anonymous namespace)::` holds a parenthesis that is not that of the arguments.
  std::string function(signature);
  for (const char* unnamed : {"(anonymous namespace)::", "(anonymous class)::"})
    for (std::size_t at; (at = function.find(unnamed)) != std::string::npos;)
      function.erase(at, std::strlen(unnamed));
  const std::size_t arguments = function.find('(');
  std::string_view head = std::string_view(function).substr(0, arguments);
  if (const std::size_t space = head.find_last_of(" :"); space != std::string_view::npos)
    head.remove_prefix(space + 1);
  return head.empty() ? function : std::string(head);
}

void report_group(task_group& group, std::size_t depth, std::string& text) {
  const spin_guard members(group.lock);
  for (task_ctl* task = group.children; task != nullptr; task = task->next_sibling) {
    text.append(2 * depth, ' ');
    text += "task " + describe_task(*task);
    if (const char* waits = task->waits.load(std::memory_order_relaxed); waits != nullptr)
      text += ", waits for " + std::string(waits) + " at " +
              place_text(task->where.load(std::memory_order_relaxed));
    if (task->parent_id != 0) text += ", spawned by task " + std::to_string(task->parent_id);
    text += "\n";
    const spin_guard tree(task->tree_lock);
    for (task_group* inner = task->groups; inner != nullptr; inner = inner->outer_group)
      report_group(*inner, depth + 1, text);
  }
}

}  // namespace

std::string describe_exception(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

std::string describe_task(const task_ctl& task) {
  return describe_task(task.id, task.name.load(std::memory_order_relaxed),
                       task.place.load(std::memory_order_relaxed));
}

std::string describe_task(std::uint64_t id, const char* name, const std::source_location& place) {
  std::string text = std::to_string(id) + " \"";
  text += name != nullptr ? std::string(name) : short_name(place.function_name());
  text += "\" (" + place_text(place) + ")";
  return text;
}

std::string report_tasks(runtime_state& state) {
  std::string text;
  report_group(state.root, 0, text);
  for (pool::lane& each : state.pool.lanes()) {
    const pool::lane_counts calls = each.count();
    const std::size_t queued = calls.queued + calls.at_door;
    if (calls.running + queued == 0) continue;
    text += std::string("calls on lane ") + each.settings().name + ": " +
            std::to_string(calls.running) + " running, " + std::to_string(queued) +
            " queued, for " + std::to_string(calls.threads) + " threads\n";
  }
  return text;
}

}  // namespace cove::detail
