#include "gate.hpp"

namespace cove::driver {

void cancel_target::hold(join_handle<> task) {
  const std::lock_guard guard(lock_);
  task_ = std::move(task);
  if (asked_) task_.cancel();
}

void cancel_target::cancel() {
  const std::lock_guard guard(lock_);
  asked_ = true;
  task_.cancel();
}

bool cancel_target::was_asked() const {
  const std::lock_guard guard(lock_);
  return asked_;
}

void cancel_target::release() {
  const std::lock_guard guard(lock_);
  task_.detach();
  asked_ = false;
}

task<> sleep_for_ever() { co_await this_task::sleep_for(std::chrono::hours::max()); }

task<> gate::pass() {
  const auto wait = [this](supervisor& jobs) -> task<> {
    sleeper_.hold(jobs.spawn(sleep_for_ever));
    co_return;
  };
  std::exception_ptr broken;
  try {
    co_await with_supervisor(wait);
  } catch (...) {
    broken = std::current_exception();
  }
  sleeper_.release();
  // acquire: pairs with open(); what the opener did before is seen behind the gate.
  if (!opened_.exchange(false, std::memory_order_acquire) && broken) std::rethrow_exception(broken);
}

void gate::open() {
  opened_.store(true, std::memory_order_release);
  sleeper_.cancel();
}

}  // namespace cove::driver
