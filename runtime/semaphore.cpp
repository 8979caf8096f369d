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
    free_ -= wanted;
    granted.push_if(waiting_.grant_front());
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

bool semaphore_acquire::try_now() noexcept {
  const spin_guard guard(from_->lock_);
  return from_->take(wanted_);
}

bool semaphore_acquire::begin() noexcept {
  const spin_guard guard(from_->lock_);
  if (from_->take(wanted_)) return true;
  from_->waiting_.push_back(*this);
  return false;
}

bool semaphore_acquire::give_up() noexcept {
  granted_list granted;
  {
    const spin_guard guard(from_->lock_);
    if (!from_->waiting_.withdraw(*this)) return false;
    from_->serve(granted);  // It may have been the one that held up the others.
  }
  granted.wake();
  return true;
}

}  // namespace detail
}  // namespace cove
