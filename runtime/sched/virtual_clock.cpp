#include "sched/virtual_clock.hpp"

#include "netpoll/backend.hpp"
#include "sched/scheduler.hpp"

#include <utility>

namespace cove::sched {

void virtual_clock::retain() noexcept {
  const std::lock_guard guard(lock_);
  ++holders_;
}

void virtual_clock::release() noexcept {
  {
    const std::lock_guard guard(lock_);
    if (--holders_ != 0) return;
  }
  delete this;
}

void virtual_clock::begin_external() noexcept {
  const std::lock_guard guard(lock_);
  ++outstanding_;
  ++changes_;
  if (state_ == state::quiet) state_ = state::busy;
}

void virtual_clock::end_external() noexcept {
  const std::lock_guard guard(lock_);
  --outstanding_;
  ++changes_;
  // Under the lock, so that the poller is still there.
  if (poller_ != nullptr) poller_->wake();
}

virtual_clock::announced virtual_clock::look() noexcept {
  const std::lock_guard guard(lock_);
  return {outstanding_, changes_};
}

bool virtual_clock::jump(std::int64_t when_ns) noexcept {
  if (when_ns == detail::never_ns) return false;
  if (when_ns <= now_ns_) return true;
  const std::lock_guard guard(lock_);
  if (when_ns - from_ns_ > limit_ns_) {
    beyond_limit_ = true;
    return false;
  }
  now_ns_ = when_ns;
  return true;
}

void virtual_clock::report_quiet(const announced& seen) noexcept {
  const std::lock_guard guard(lock_);
  if (changes_ != seen.changes || state_ != state::busy) return;
  state_ = state::quiet;
  told_.notify_all();
}

void virtual_clock::report_ended() noexcept {
  const std::lock_guard guard(lock_);
  state_ = state::ended;
  told_.notify_all();
}

void virtual_clock::attach(netpoll::backend& poller) noexcept {
  const std::lock_guard guard(lock_);
  poller_ = &poller;
}

void virtual_clock::detach() noexcept {
  const std::lock_guard guard(lock_);
  poller_ = nullptr;
}

virtual_clock::state virtual_clock::wait() {
  std::unique_lock guard(lock_);
  told_.wait(guard, [this] { return state_ != state::busy; });
  return state_;
}

bool virtual_clock::take_limit() noexcept {
  const std::lock_guard guard(lock_);
  from_ns_ = now_ns_;
  return std::exchange(beyond_limit_, false);
}

/// What has happened in the network, and to the wake-up that may be pending. The kernel delivers
/// over the loopback within the sender's call unless it is busy; then its own thread does, which
/// gets this CPU first.
void scheduler::ask_network(detail::task_list& came) noexcept {
  if (poller_backend_->watched() == 0 && !poller_backend_->woken()) return;
  poller_backend_->wait(0, came);
  if (!came.empty() || poller_backend_->watched() == 0) return;
  std::this_thread::yield();
  poller_backend_->wait(0, came);
}

/// In the poller's seat, without a processor: comes back when there is something to run or a timer
/// is due.
void scheduler::pass_virtual_time(detail::task_list& came) noexcept {
  // What the kernel may take its time for: a delayed acknowledgement, a probe of a closed window.
  constexpr std::int64_t network_patience_ns = 1'000'000'000;
  virtual_clock& clock = *settings_.clock;
  bool waited = false;
  for (;;) {
    const virtual_clock::announced outside = clock.look();
    ask_network(came);
    if (!came.empty() || any_work() || exit_.load(std::memory_order_relaxed)) return;
    std::int64_t delay_ns = -1;
    if (outside.outstanding == 0) {
      if (clock.waiting_for_idle().wake_all(came) || clock.jump(earliest_timer())) return;
      if (!waited && poller_backend_->watched() != 0)
        delay_ns = network_patience_ns;
      else
        clock.report_quiet(outside);
      waited = true;
    }
    poller_backend_->wait(delay_ns, came);
  }
}

}  // namespace cove::sched
