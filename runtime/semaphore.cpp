#include <cove/runtime/semaphore.hpp>

namespace cove {

using detail::spin_guard;

bool semaphore::take(std::size_t count) noexcept {
  if (!waiting_.empty() || free_ < count) return false;
  free_ -= count;
  return true;
}

/// Gives to those in front what there is, until one wants more.
void semaphore::serve(detail::granted_list& granted) noexcept {
  while (detail::waiter* first = waiting_.front()) {
    const std::size_t wanted = static_cast<detail::semaphore_acquire*>(first)->wanted_;
    if (wanted > free_) return;
    if (!waiting_.grant(*first)) continue;
    free_ -= wanted;
    granted.push(*first);
  }
}

semaphore_permits semaphore::try_acquire(std::size_t count) noexcept {
  const spin_guard guard(lock_);
  return take(count) ? semaphore_permits(*this, count) : semaphore_permits();
}

void semaphore::release(std::size_t count) noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    free_ += count;
    serve(granted);
  }
  granted.wake();
}

std::size_t semaphore::available() const noexcept {
  const spin_guard guard(lock_);
  return free_;
}

namespace detail {

spin_lock& semaphore_acquire::lock() noexcept { return from_->lock_; }

bool semaphore_acquire::take(granted_list&) noexcept { return from_->take(wanted_); }

void semaphore_acquire::link() noexcept { from_->waiting_.push_back(*this); }

bool semaphore_acquire::unlink(granted_list& granted) noexcept {
  if (!from_->waiting_.withdraw(*this)) return false;
  from_->serve(granted);  // It may have been the one that held up the others.
  return true;
}

}  // namespace detail
}  // namespace cove
