#include "threads.hpp"

#include <algorithm>

namespace cove::driver {

alarm_clock::alarm_clock() : thread_([this] { run(); }) {}

alarm_clock::~alarm_clock() {
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void alarm_clock::at(clock::time_point when, std::function<void()> what) {
  {
    const std::lock_guard guard(lock_);
    waiting_.emplace(when, std::move(what));
  }
  changed_.notify_one();
}

void alarm_clock::run() {
  std::unique_lock guard(lock_);
  for (;;) {
    const auto next = waiting_.begin();
    if (next == waiting_.end()) {
      if (ending_) return;
      changed_.wait(guard);
      continue;
    }
    const auto left = next->first - clock::now();
    if (!ending_ && left > clock::duration::zero()) {
      changed_.wait_for(guard, std::min(left, clock::duration(std::chrono::hours(1))));
      continue;
    }
    const auto due = waiting_.extract(next);
    guard.unlock();
    due.mapped()();
    guard.lock();
  }
}

void helper_threads::run(std::function<void()> work) {
  {
    const std::lock_guard guard(lock_);
    ++working_;
  }
  std::thread([this, work = std::move(work)]() mutable {
    work();
    work = nullptr;  // What it owned is gone before it counts as ended.
    const std::lock_guard guard(lock_);
    --working_;
    ended_.notify_all();
  }).detach();
}

bool helper_threads::finish(std::chrono::milliseconds limit) {
  std::unique_lock guard(lock_);
  return ended_.wait_for(guard, limit, [this] { return working_ == 0; });
}

}  // namespace cove::driver
