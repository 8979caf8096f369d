#include <cove/runtime/blocking.hpp>

#include "state.hpp"

// The moves of a call on the pool; its phases stand in detail/blocking_op.hpp.

namespace cove::detail {
namespace {

/// Null: time is real.
sched::virtual_clock* clock_of(const task_ctl& task) noexcept {
  return task.runtime->scheduler.settings().clock;
}

}  // namespace

struct blocking_moves {
  static blocking_op& from(operation& op) noexcept { return static_cast<blocking_op&>(op); }

  static bool advance(operation& base, task_ctl& task, sched::processor& p) noexcept {
    blocking_op& op = from(base);
    if (op.phase_ == blocking_op::phase::submitted) {
      op.phase_ = blocking_op::phase::ended;
      return true;
    }
    if (!op.masked) op.stopped_ = glance(task);
    if (op.stopped_ != stop_reason::none) return true;
    // Virtual time stands while a call is out, as for any external_work.
    sched::virtual_clock* clock = clock_of(task);
    if (clock != nullptr) clock->begin_external();
    op.phase_ = blocking_op::phase::submitted;
    pool::lane& lane = task.runtime->pool.of(op.lane_);
    p.lent = !lane.runs();
    const pool::admission what = lane.submit(op, !op.masked);
    if (what == pool::admission::submitted) return false;
    op.phase_ = what == pool::admission::full ? blocking_op::phase::refused_full
                                              : blocking_op::phase::refused;
    if (clock != nullptr) clock->end_external();
    return true;
  }

  static bool withdraw(operation& base, task_ctl& task, sched::processor&) noexcept {
    blocking_op& op = from(base);
    if (!task.runtime->pool.of(op.lane_).take_back(op)) {
      op.asked_.store(true, std::memory_order_relaxed);
      return false;
    }
    op.phase_ = blocking_op::phase::fresh;
    if (sched::virtual_clock* clock = clock_of(task); clock != nullptr) clock->end_external();
    return true;
  }

  static void refuse(operation& base, stop_reason why) noexcept { from(base).stopped_ = why; }
};

const operation_type blocking_op::pool_moves{"blocking", blocking_moves::advance,
                                             blocking_moves::withdraw, blocking_moves::refuse};

void blocking_op::hand_back(pool::job& which) noexcept {
  task_ctl& task = *static_cast<blocking_op&>(which).task_;
  sched::virtual_clock* clock = clock_of(task);
  if (task.word.complete()) make_ready(task, false);
  // The clock is still there: the pool's threads end before the runtime does.
  if (clock != nullptr) clock->end_external();
}

std::error_code blocking_op::refusal() const noexcept {
  if (stopped_ != stop_reason::none) return code_of(stopped_);
  if (phase_ == phase::refused)
    return std::make_error_code(std::errc::resource_unavailable_try_again);
  if (phase_ == phase::refused_full)
    return std::make_error_code(std::errc::device_or_resource_busy);
  return {};
}

/// `the queue of lane "user" is full (1024 calls)`
std::string blocking_op::describe_queue() const {
  const pool::lane_settings& lane = task_->runtime->pool.of(lane_).settings();
  return std::string("the queue of lane \"") + lane.name + "\" is full (" +
         std::to_string(lane.queue_max) + " calls)";
}

void blocking_op::check_ended() {
  if (stopped_ != stop_reason::none) throw_stopped(stopped_, name);
  if (phase_ == phase::refused)
    throw error(refusal(), "blocking: the system gives no thread",
                "raise its limit of threads (ulimit -u, pids.max), or have fewer of them");
  if (phase_ == phase::refused_full)
    throw error(refusal(), "blocking: " + describe_queue(),
                "try again later, or raise queue_max in runtime_options::pool");
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace cove::detail
