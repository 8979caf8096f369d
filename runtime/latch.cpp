#include <cove/runtime/latch.hpp>

namespace cove {

using detail::spin_guard;

void latch::arrive(std::size_t count, detail::granted_list& granted) noexcept {
  COVE_CHECK(count <= count_, "a latch was counted down below zero");
  count_ -= count;
  if (count_ != 0) return;
  waiting_.grant_all(granted);
}

void latch::count_down(std::size_t count) noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    arrive(count, granted);
  }
  granted.wake();
}

bool latch::try_wait() const noexcept {
  const spin_guard guard(lock_);
  return count_ == 0;
}

namespace detail {

/// An arrival that is not the last one is left to begin(), which also waits.
bool latch_wait::try_now() noexcept {
  granted_list granted;
  {
    const spin_guard guard(which_->lock_);
    if (which_->count_ > arrivals_) return false;
    which_->arrive(arrivals_, granted);
  }
  granted.wake();
  return true;
}

bool latch_wait::begin() noexcept {
  granted_list granted;
  {
    const spin_guard guard(which_->lock_);
    which_->arrive(arrivals_, granted);
    if (which_->count_ != 0) {
      which_->waiting_.push_back(*this);
      return false;
    }
  }
  granted.wake();
  return true;
}

bool latch_wait::give_up() noexcept {
  const spin_guard guard(which_->lock_);
  return which_->waiting_.withdraw(*this);
}

}  // namespace detail
}  // namespace cove
