#include <cove/runtime/shared_mutex.hpp>

namespace cove {

using detail::spin_guard;

/// Lets one in, if who is in allows it.
bool shared_mutex::admit(bool exclusive) noexcept {
  if (writer_ || (exclusive && readers_ != 0)) return false;
  if (exclusive)
    writer_ = true;
  else
    ++readers_;
  return true;
}

/// Lets in those in front, until one has to wait on.
void shared_mutex::serve(detail::granted_list& granted) noexcept {
  while (detail::waiter* first = waiting_.front()) {
    if (!admit(static_cast<detail::shared_mutex_lock*>(first)->exclusive_)) return;
    granted.push_if(waiting_.grant_front());
  }
}

shared_mutex_guard shared_mutex::try_lock() noexcept {
  const spin_guard guard(lock_);
  return take(true) ? shared_mutex_guard(*this, true) : shared_mutex_guard();
}

shared_mutex_guard shared_mutex::try_lock_shared() noexcept {
  const spin_guard guard(lock_);
  return take(false) ? shared_mutex_guard(*this, false) : shared_mutex_guard();
}

void shared_mutex::unlock(bool exclusive) noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    if (exclusive)
      writer_ = false;
    else
      --readers_;
    serve(granted);
  }
  granted.wake();
}

namespace detail {

bool shared_mutex_lock::try_now() noexcept {
  const spin_guard guard(wanted_->lock_);
  return wanted_->take(exclusive_);
}

bool shared_mutex_lock::begin() noexcept {
  const spin_guard guard(wanted_->lock_);
  if (wanted_->take(exclusive_)) return true;
  wanted_->waiting_.push_back(*this);
  return false;
}

bool shared_mutex_lock::give_up() noexcept {
  granted_list granted;
  {
    const spin_guard guard(wanted_->lock_);
    if (!wanted_->waiting_.withdraw(*this)) return false;
    wanted_->serve(granted);  // It may have been a writer that held up readers.
  }
  granted.wake();
  return true;
}

}  // namespace detail
}  // namespace cove
