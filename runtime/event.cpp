#include <cove/runtime/event.hpp>

// Looking at the event takes its lock, too, though a flag could be read without: a task that saw
// the flag may destroy the event, and the one who set it would still have to give the lock back.

namespace cove {

using detail::spin_guard;

void event::set() noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    set_ = true;
    waiting_.grant_all(granted);
  }
  granted.wake();
}

void event::reset() noexcept {
  const spin_guard guard(lock_);
  set_ = false;
}

bool event::is_set() const noexcept {
  const spin_guard guard(lock_);
  return set_;
}

namespace detail {

bool event_wait::try_now() noexcept { return which_->is_set(); }

bool event_wait::begin() noexcept {
  const spin_guard guard(which_->lock_);
  if (which_->set_) return true;
  which_->waiting_.push_back(*this);
  return false;
}

bool event_wait::give_up() noexcept {
  const spin_guard guard(which_->lock_);
  return which_->waiting_.withdraw(*this);
}

}  // namespace detail
}  // namespace cove
