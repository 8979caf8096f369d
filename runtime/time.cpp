#include <cove/runtime/time.hpp>

#include "clock.hpp"
#include "sched/processor.hpp"
#include "set_timer.hpp"
#include "state.hpp"

namespace cove {

clock::time_point clock::now() noexcept { return time_point(duration(detail::now_ns())); }

namespace detail {

sched::processor* set_timer(sched::processor& p, task_ctl& task, timer_node& timer,
                            std::int64_t when_ns) noexcept {
  try {
    if (p.timers.insert(timer, when_ns)) task.runtime->scheduler.timer_moved_earlier(when_ns);
    return &p;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

std::int64_t moment_after(std::int64_t after_ns) noexcept {
  const std::int64_t now = now_ns();
  return after_ns > INT64_MAX - now ? INT64_MAX : now + after_ns;
}

struct sleep_moves {
  static sleep_awaiter& from(operation& op) noexcept { return static_cast<sleep_awaiter&>(op); }

  static bool advance(operation& base, task_ctl& task, sched::processor& p) noexcept {
    sleep_awaiter& op = from(base);
    if (op.phase_ == sleep_awaiter::phase::armed) {
      op.phase_ = sleep_awaiter::phase::fired;
      return true;
    }
    if (const stop_reason why = glance(task); why != stop_reason::none) {
      op.stopped_ = why;
      return true;
    }
    op.phase_ = sleep_awaiter::phase::armed;
    if (op.until_ns_ == never_ns) return false;
    op.armed_on_ = set_timer(p, task, op, op.until_ns_);
    op.out_of_memory_ = op.armed_on_ == nullptr;
    return op.out_of_memory_;
  }

  static bool withdraw(operation& base, task_ctl&, sched::processor&) noexcept {
    sleep_awaiter& op = from(base);
    return op.armed_on_ == nullptr || op.armed_on_->timers.remove(op);
  }

  static void refuse(operation& base, stop_reason why) noexcept { from(base).stopped_ = why; }

  /// Runs under the heap's lock.
  static void fire(timer_node& node, void* sink) noexcept {
    task_ctl& task = *static_cast<sleep_awaiter&>(node).task_;
    if (task.word.complete()) static_cast<task_list*>(sink)->push(task);
  }

  static constexpr operation_type type{"sleep", advance, withdraw, refuse};
};

sleep_awaiter::sleep_awaiter(std::int64_t until_ns) noexcept
    : operation(sleep_moves::type), until_ns_(until_ns) {
  timer_node::fire = sleep_moves::fire;
}

struct timeout_moves {
  /// Never parks: it is an operation only because a timer needs a processor.
  static bool advance(operation& base, task_ctl& task, sched::processor& p) noexcept {
    auto& op = static_cast<timeout_scope::opening&>(base);
    timeout_scope& scope = op.scope;
    enter_scope(task, scope.link_);
    if (scope.link_.deadline_ns == never_ns) return true;
    scope.armed_on_ = set_timer(p, task, scope, scope.link_.deadline_ns);
    op.out_of_memory = scope.armed_on_ == nullptr;
    return true;
  }
  static bool withdraw(operation&, task_ctl&, sched::processor&) noexcept { return true; }
  static void refuse(operation&, stop_reason) noexcept {}

  /// Runs under the heap's lock, so the scope cannot be left meanwhile.
  static void fire(timer_node& node, void* sink) noexcept {
    trigger(static_cast<timeout_scope&>(node).link_, stop_reason::deadline,
            *static_cast<task_list*>(sink));
  }

  static constexpr operation_type type{"timeout", advance, withdraw, refuse};
};

timeout_scope::timeout_scope(std::int64_t deadline_ns) noexcept {
  link_.deadline_ns = deadline_ns;
  timer_node::fire = timeout_moves::fire;
}

timeout_scope::~timeout_scope() {
  // First the timer, under its heap's lock: afterwards nobody triggers the scope any more.
  if (armed_on_ != nullptr) armed_on_->timers.remove(*this);
  if (link_.owner != nullptr) leave_scope(*link_.owner, link_);
}

timeout_scope::opening::opening(timeout_scope& which) noexcept
    : operation(timeout_moves::type), scope(which) {}

}  // namespace detail

clock::time_point this_task::deadline() noexcept {
  const detail::task_ctl* task = detail::current_task();
  return task != nullptr ? clock::time_point(clock::duration(task->deadline_ns))
                         : clock::time_point::max();
}

}  // namespace cove
