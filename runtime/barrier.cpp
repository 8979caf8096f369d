#include <cove/runtime/barrier.hpp>

namespace cove {

using detail::spin_guard;

void barrier::end_round(detail::granted_list& granted) noexcept {
  arrived_ = 0;
  waiting_.grant_all(granted);
}

void barrier::arrive_and_drop() noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    COVE_CHECK(parties_ > arrived_, "a party left a barrier that it did not belong to");
    if (--parties_ == arrived_ && arrived_ != 0) {
      static_cast<detail::barrier_wait*>(waiting_.front())->leads_ = true;
      end_round(granted);
    }
  }
  granted.wake();
}

namespace detail {

/// An arrival that is not the last one is left to begin(), which also waits.
bool barrier_wait::try_now() noexcept {
  granted_list granted;
  {
    const spin_guard guard(which_->lock_);
    if (which_->arrived_ + 1 < which_->parties_) return false;
    which_->end_round(granted);
  }
  leads_ = true;
  granted.wake();
  return true;
}

bool barrier_wait::begin() noexcept {
  granted_list granted;
  {
    const spin_guard guard(which_->lock_);
    if (which_->arrived_ + 1 < which_->parties_) {
      ++which_->arrived_;
      which_->waiting_.push_back(*this);
      return false;
    }
    which_->end_round(granted);
  }
  leads_ = true;
  granted.wake();
  return true;
}

bool barrier_wait::give_up() noexcept {
  const spin_guard guard(which_->lock_);
  if (!which_->waiting_.withdraw(*this)) return false;
  --which_->arrived_;
  return true;
}

}  // namespace detail
}  // namespace cove
