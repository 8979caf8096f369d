#include <cove/runtime/once.hpp>

namespace cove {

using detail::spin_guard;

/// True if `who` need not wait: it has the turn, or all is done. Under lock_, so loads are relaxed.
bool once::take(detail::once_claim& who) noexcept {
  switch (state_.load(std::memory_order_relaxed)) {
    case state::running: return false;
    case state::done: return true;
    case state::idle: break;
  }
  state_.store(state::running, std::memory_order_relaxed);
  who.has_turn_ = true;
  return true;
}

void once::finish() noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    // release: pairs with the load in done().
    state_.store(state::done, std::memory_order_release);
    waiting_.grant_all(granted);
  }
  granted.wake();
}

void once::pass_on() noexcept {
  detail::granted_list granted;
  {
    const spin_guard guard(lock_);
    if (waiting_.empty()) {
      state_.store(state::idle, std::memory_order_relaxed);
    } else {
      static_cast<detail::once_claim*>(waiting_.front())->has_turn_ = true;
      granted.push_if(waiting_.grant_front());
    }
  }
  granted.wake();
}

namespace detail {

bool once_claim::try_now() noexcept {
  if (which_->done()) return true;
  const spin_guard guard(which_->lock_);
  return which_->take(*this);
}

bool once_claim::begin() noexcept {
  const spin_guard guard(which_->lock_);
  if (which_->take(*this)) return true;
  which_->waiting_.push_back(*this);
  return false;
}

bool once_claim::give_up() noexcept {
  const spin_guard guard(which_->lock_);
  return which_->waiting_.withdraw(*this);
}

}  // namespace detail
}  // namespace cove
