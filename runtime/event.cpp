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

spin_lock& event_wait::lock() noexcept { return which_->lock_; }

bool event_wait::take(granted_list&) noexcept { return which_->set_; }

void event_wait::link() noexcept { which_->waiting_.push_back(*this); }

bool event_wait::unlink(granted_list&) noexcept { return which_->waiting_.withdraw(*this); }

}  // namespace detail
}  // namespace cove
