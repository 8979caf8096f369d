#include "pool/lane.hpp"

#include "pool/set_up_thread.hpp"

#include <exception>

namespace cove::pool {

bool lane::submit(job& which) noexcept {
  bool calls = false;
  {
    const std::lock_guard guard(lock_);
    if (queue_.size() >= coming_.load(std::memory_order_relaxed)) {
      calls = asleep_ != 0;
      if (calls)
        call(1);
      else if (threads_.size() < settings_.threads_max && !start_thread() && threads_.empty())
        return false;
    }
    queue_.push(which);
  }
  // The lane is still here: it ends after all tasks, and that of the job has not been parked yet.
  if (calls) called_.notify_one();
  return true;
}

bool lane::take_back(job& which) noexcept {
  const std::lock_guard guard(lock_);
  if (!which.queued) return false;
  queue_.remove(which);
  return true;
}

/// So many of those that sleep are coming; the caller notifies them.
void lane::call(std::size_t count) noexcept {
  asleep_ -= count;
  calls_ += count;
  coming_.fetch_add(count, std::memory_order_relaxed);
}

/// The lock is held meanwhile, but that happens only as often as there are threads.
bool lane::start_thread() noexcept {
  try {
    const unsigned number = static_cast<unsigned>(threads_.size()) + 1;
    threads_.emplace_back([this, number] { work(number); });
    coming_.fetch_add(1, std::memory_order_relaxed);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void lane::work(unsigned number) noexcept {
  set_up_thread(settings_.name, number);
  std::unique_lock guard(lock_);
  for (;;) {
    coming_.fetch_sub(1, std::memory_order_relaxed);
    if (job* next = queue_.pop(); next != nullptr) {
      running_.fetch_add(1, std::memory_order_relaxed);
      guard.unlock();
      next->kind->run(*next);
      // Before it is handed back: who has its outcome finds it counted, and this thread coming.
      finished_.fetch_add(1, std::memory_order_relaxed);
      running_.fetch_sub(1, std::memory_order_relaxed);
      coming_.fetch_add(1, std::memory_order_relaxed);
      next->kind->hand_back(*next);
      guard.lock();
    } else if (ending_) {
      return;
    } else {
      ++asleep_;
      called_.wait(guard, [this] { return calls_ != 0; });
      --calls_;
    }
  }
}

void lane::end() noexcept {
  std::vector<std::thread> leaving;
  {
    const std::lock_guard guard(lock_);
    COVE_CHECK(queue_.size() == 0, "a lane of the pool ends before its jobs");
    ending_ = true;
    call(asleep_);
    leaving.swap(threads_);
  }
  called_.notify_all();
  for (std::thread& each : leaving) each.join();
}

lane::counts lane::count() noexcept {
  const std::lock_guard guard(lock_);
  return {static_cast<unsigned>(threads_.size()), settings_.threads_max, queue_.size(),
          running_.load(std::memory_order_relaxed), finished_.load(std::memory_order_relaxed)};
}

}  // namespace cove::pool
