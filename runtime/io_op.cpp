#include <cove/runtime/detail/io_op.hpp>

#include "descriptor.hpp"
#include "io_deadline.hpp"
#include "io_syscall.hpp"
#include "netpoll/backend.hpp"
#include "state.hpp"

#include <cove/runtime/detail/descriptor.hpp>

// How an operation on a descriptor goes from its first try to its result.
//
//   fresh -> holding          the direction was free
//   fresh -> queued -> holding  (accept) it was taken: the one that leaves hands it on
//   holding -> left           the result was taken
//
// The holder, on a readiness backend
//   1. closed? asked to end? past its deadline? then that is the result, without a system call
//   2. prepare the slot, make the call: a result is final, whatever is asked meanwhile
//   3. would block: arm the slot. An event that came since 2 is consumed: back to 1.
//   4. armed: closed meanwhile? take it back. Else see to the timer of the deadline, and park; a
//      completion leads back to 1. Where the backend is level-triggered, it is asked to watch;
//      if it cannot, that is the result.
// After a drained read the first try is left out: 3 comes first.
//
// On a completion backend 2 to 4 are: put the task into the slot, where a closer or a deadline
// finds it; see to the timer; give the operation to the backend; park. The completion brings the
// outcome, and 1 follows if it wants more, or was broken off for a deadline that has moved on.
// Of what is no socket, and of a wait, it only brings that the call can be made now: 2, here,
// follows (see made_by_worker()).

namespace cove::detail {
namespace {

using netpoll::direction;
using netpoll::gate;
using netpoll::poll_desc;

io_op& as_io(operation& op) noexcept { return static_cast<io_op&>(op); }

netpoll::backend& backend_of(task_ctl& task) noexcept { return task.runtime->scheduler.poller(); }

bool completes(task_ctl& task) noexcept {
  return task.runtime->model == netpoll::model::completion;
}

/// What became of an attempt to take the direction.
enum class taking : std::uint8_t { holding, failed, later };

taking take_at_once(io_op& op) noexcept {
  switch (op.desc->access.enter(direction_of(op.kind))) {
    case gate::entry::entered: op.phase = io_op::state::holding; return taking::holding;
    case gate::entry::closed: op.stopped = stop_reason::closed; return taking::failed;
    case gate::entry::busy: break;
  }
  if (op.queues) return taking::later;
  op.wrong = io_op::fault::busy;
  return taking::failed;
}

/// Takes the direction, or queues up for it: `later` means that the task must park.
taking take_or_queue(io_op& op) noexcept {
  if (!op.queues) return take_at_once(op);
  poll_desc& desc = *op.desc;
  // Under the lock, so that the one who leaves either hands on to us or has left before we enter.
  const spin_guard queue(desc.queue_lock);
  if (const taking now = take_at_once(op); now != taking::later) return now;
  op.phase = io_op::state::queued;
  op.queue_next = nullptr;
  (desc.queue_last != nullptr ? desc.queue_last->queue_next : desc.queue_first) = &op;
  desc.queue_last = &op;
  return taking::later;
}

/// Whoever leaves may just be handing the direction on.
bool is_queued(io_op& op) noexcept {
  if (!op.queues) return false;
  const spin_guard queue(op.desc->queue_lock);
  return op.phase == io_op::state::queued;
}

bool leave_queue(io_op& op) noexcept {
  poll_desc& desc = *op.desc;
  const spin_guard queue(desc.queue_lock);
  io_op* before = nullptr;
  for (io_op* at = desc.queue_first; at != nullptr; before = at, at = at->queue_next) {
    if (at != &op) continue;
    (before != nullptr ? before->queue_next : desc.queue_first) = op.queue_next;
    if (desc.queue_last == &op) desc.queue_last = before;
    op.phase = io_op::state::fresh;
    return true;
  }
  return false;  // It was handed the direction, or evicted: a completion is on its way.
}

/// Step 1. True if that is the result.
bool must_end(io_op& op, task_ctl& task) noexcept {
  if (op.desc->access.is_closed())
    op.stopped = stop_reason::closed;
  else if (op.cause != stop_reason::none)
    op.stopped = op.cause;
  else
    op.stopped = glance(task);
  if (op.stopped == stop_reason::none)
    if (const io_deadline* limit = deadline_of(*op.desc, direction_of(op.kind));
        limit != nullptr && limit->passed())
      op.stopped = stop_reason::deadline;
  return op.stopped != stop_reason::none;
}

bool writes(const io_op& op) noexcept {
  return op.kind == io_kind::write || op.kind == io_kind::write_v;
}

/// An empty write, an exact read of nothing and a read behind the end succeed without a call.
bool has_nothing_to_do(io_op& op) noexcept {
  if ((writes(op) || op.whole) && op.size == 0) return true;
  return ends_already(op, *op.desc);
}

/// Step 2, until something is final. False: would block.
bool try_now(io_op& op, task_ctl& task, poll_desc& desc, bool first) noexcept {
  netpoll::slot& slot = desc.at(direction_of(op.kind));
  // A write rarely finds the buffer full, and each event of a read says that there is room. So its
  // first call leaves an event in the slot: if it would block, arming finds that, and it is made
  // once more.
  bool& drained = desc.drained_at(direction_of(op.kind));
  for (bool keep_event = first && writes(op);; keep_event = false) {
    if (!keep_event) slot.prepare();
    drained = false;  // Said of an earlier call, whose next event may be gone from the slot.
    switch (perform(op, desc)) {
      case step::final: return true;
      case step::would_block: return false;
      case step::more: break;
    }
    if (std::exchange(drained, false)) return false;
    if (must_end(op, task)) return true;  // However fast the peer is.
  }
}

/// Step 4, for an operation that stands in its slot. False: there is no memory for the timer.
bool watch_deadline(io_op& op, task_ctl& task, sched::processor& p) noexcept {
  io_deadline* limit = deadline_of(*op.desc, direction_of(op.kind));
  if (limit == nullptr) return true;
  const io_deadline::watch outcome = limit->wait_on(p.timers);
  if (outcome == io_deadline::watch::sooner)
    task.runtime->scheduler.timer_moved_earlier(p.timers.earliest());
  return outcome != io_deadline::watch::no_memory;
}

/// On a readiness backend: true if final, false if armed.
bool advance_readiness(io_op& op, task_ctl& task, sched::processor& p) noexcept {
  poll_desc& desc = *op.desc;
  const direction which = direction_of(op.kind);
  netpoll::slot& slot = desc.at(which);
  bool tried = op.tried;
  op.tried = false;
  for (;;) {
    if (must_end(op, task) || has_nothing_to_do(op)) return true;
    if (!tried && try_now(op, task, desc, false)) return true;
    tried = false;
    if (!slot.arm(task)) continue;
    if (desc.access.is_closed() && slot.withdraw(task)) {
      op.stopped = stop_reason::closed;
      return true;
    }
    if (!watch_deadline(op, task, p) && slot.withdraw(task)) {
      op.wrong = io_op::fault::no_memory;
      return true;
    }
    if (task.runtime->model == netpoll::model::level)
      if (const auto failed = backend_of(task).watch(desc, awaited_by(op.kind));
          failed && slot.withdraw(task)) {
        op.error = failed.value();
        return true;
      }
    return false;
  }
}

/// On a completion backend: true if final, false if armed.
bool advance_completion(io_op& op, task_ctl& task, sched::processor& p) noexcept {
  poll_desc& desc = *op.desc;
  netpoll::slot& slot = desc.at(direction_of(op.kind));
  if (op.armed_once) {
    op.armed_once = false;
    slot.release(task);
    // What was asked through the slot is looked up where it is kept, the gate and the deadline:
    // that one may have moved on.
    task.word.end_operation();
    if (op.cause == stop_reason::deadline) op.cause = stop_reason::none;
    // A canceled completion has moved nothing; step 1 says why, or the operation starts again.
    const bool only_ready = op.result >= 0 && made_by_worker(op, desc);
    if (op.result != -ECANCELED && !only_ready && book(op, desc, op.result) == step::final)
      return true;
  }
  const bool tried = op.tried;
  op.tried = false;
  desc.drained_at(direction_of(op.kind)) = false;
  if (must_end(op, task) || has_nothing_to_do(op)) return true;
  if (!tried && made_by_worker(op, desc) && try_now(op, task, desc, false)) return true;
  slot.prepare();
  slot.arm(task);
  if (!watch_deadline(op, task, p)) {
    slot.release(task);
    op.wrong = io_op::fault::no_memory;
    return true;
  }
  op.armed_once = true;
  backend_of(task).arm(op, p.id);
  // A closer that came before the slot was filled did not find it.
  if (desc.access.is_closed()) backend_of(task).withdraw(op, p.id);
  return false;
}

bool advance(operation& base, task_ctl& task, sched::processor& p) noexcept {
  io_op& op = as_io(base);
  if (op.phase == io_op::state::queued) {
    // Completed without having been handed the direction: evicted.
    op.stopped = stop_reason::closed;
    op.phase = io_op::state::fresh;
    return true;
  }
  if (op.phase == io_op::state::fresh) {
    if (const taking now = take_or_queue(op); now != taking::holding) return now == taking::failed;
  }
  return completes(task) ? advance_completion(op, task, p) : advance_readiness(op, task, p);
}

bool withdraw(operation& base, task_ctl& task, sched::processor& p) noexcept {
  io_op& op = as_io(base);
  if (is_queued(op)) return leave_queue(op);
  if (!completes(task)) return op.desc->at(direction_of(op.kind)).withdraw(task);
  backend_of(task).withdraw(op, p.id);
  return false;
}

void refuse(operation& base, stop_reason why) noexcept { as_io(base).stopped = why; }

}  // namespace

const operation_type io_type{"io", advance, withdraw, refuse};

bool io_try(io_op& op, task_ctl& task) noexcept {
  if (op.failed()) return true;  // The arguments made no sense.
  poll_desc* desc = op.handle->attach(task, op);
  if (desc == nullptr) return true;
  op.desc = desc;
  if (--task.budget < 0) return false;  // suspend() gives way first.
  if (const taking now = take_at_once(op); now != taking::holding) return now == taking::failed;
  if (must_end(op, task) || has_nothing_to_do(op)) return true;
  if (completes(task) && !made_by_worker(op, *op.desc)) return false;
  op.tried = true;
  if (std::exchange(op.desc->drained_at(direction_of(op.kind)), false)) return false;
  return try_now(op, task, *op.desc, true);
}

void io_leave(io_op& op) noexcept {
  if (std::exchange(op.phase, io_op::state::left) != io_op::state::holding) return;
  poll_desc& desc = *op.desc;
  const direction d = direction_of(op.kind);
  bool shut = false;
  if (!op.queues) {
    shut = desc.access.leave(d);
  } else {
    io_op* next = nullptr;
    {
      const spin_guard queue(desc.queue_lock);
      next = desc.queue_first;
      if (next == nullptr) {
        shut = desc.access.leave(d);
      } else {
        desc.queue_first = next->queue_next;
        if (desc.queue_first == nullptr) desc.queue_last = nullptr;
        next->phase = io_op::state::holding;  // The direction stays taken; it is the next one's.
      }
    }
    if (next != nullptr && next->task_->word.complete()) make_ready(*next->task_, false);
  }
  if (shut) shut_descriptor(desc);
}

std::error_code io_outcome(const io_op& op) noexcept {
  if (op.error != 0) return system_error_code(op.error);
  if (op.stopped != stop_reason::none) return code_of(op.stopped);
  switch (op.wrong) {
    case io_op::fault::none: break;
    case io_op::fault::busy: return make_error_code(errc::operation_in_progress);
    case io_op::fault::unexpected_end: return make_error_code(errc::unexpected_end);
    case io_op::fault::wrong_runtime: return make_error_code(errc::wrong_runtime);
    case io_op::fault::invalid: return std::make_error_code(std::errc::invalid_argument);
    case io_op::fault::no_memory: return std::make_error_code(std::errc::not_enough_memory);
    case io_op::fault::too_high: return make_error_code(errc::descriptor_too_high);
  }
  return {};
}

}  // namespace cove::detail
