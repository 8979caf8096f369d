#include <cove/runtime/condition_variable.hpp>

namespace cove {

using detail::spin_guard;

void condition_variable::notify_one() noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    granted.push_if(waiting_.grant_front());
  }
  granted.wake();
}

void condition_variable::notify_all() noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    waiting_.grant_all(granted);
  }
  granted.wake();
}

namespace detail {
namespace {

condition_wait& as_wait(operation& op) noexcept { return static_cast<condition_wait&>(op); }

}  // namespace

/// asking -> locking. True if the mutex was open.
bool condition_wait::relock() noexcept {
  stage_ = stage::locking;
  masked = true;
  phase = state::fresh;
  return held_->enter(*this);
}

bool condition_wait::advance(operation& op, task_ctl& task, sched::processor&) noexcept {
  condition_wait& self = as_wait(op);
  switch (self.stage_) {
    case stage::fresh: {
      self.stopped = glance(task);
      if (self.stopped != stop_reason::none) return true;
      self.who = reinterpret_cast<std::uintptr_t>(&task);
      self.stage_ = stage::asking;
      {
        const spin_guard guard(self.which_->lock_);
        self.which_->waiting_.push_back(self);
      }
      self.held_->unlock();
      return false;
    }
    case stage::asking: return self.relock();
    case stage::locking: break;
  }
  if (!self.held_->come(self, true)) return false;
  if (self.withdrawn_) self.stopped = self.cause;
  return true;
}

bool condition_wait::withdraw(operation& op, task_ctl&, sched::processor&) noexcept {
  condition_wait& self = as_wait(op);
  {
    const spin_guard guard(self.which_->lock_);
    if (!self.which_->waiting_.withdraw(self)) return false;
  }
  self.withdrawn_ = true;
  return self.relock();
}

void condition_wait::refuse(operation& op, stop_reason why) noexcept { as_wait(op).stopped = why; }

const operation_type condition_wait::moves{"wait for a condition", advance, withdraw, refuse};

}  // namespace detail
}  // namespace cove
