#pragma once

#include "support/runtime_test.hpp"

#include <algorithm>
#include <mutex>
#include <semaphore>

namespace cove::test {

/// One worker, and a pool of so many threads.
inline runtime_options small_pool(unsigned threads) {
  runtime_options options = plain_options(1);
  options.pool.user.threads_max = threads;
  return options;
}

/// Calls that block until they are released.
class blocked_calls {
 public:
  /// The call.
  int pass(int number) {
    {
      const std::lock_guard guard(lock_);
      numbers_.push_back(number);
    }
    ++begun_;
    released_.acquire();
    ++ended_;
    return number;
  }

  void release(int count) { released_.release(count); }

  int begun() const noexcept { return begun_; }
  int ended() const noexcept { return ended_; }
  /// Did they begin in the order of their numbers?
  bool in_order() {
    const std::lock_guard guard(lock_);
    return std::is_sorted(numbers_.begin(), numbers_.end());
  }

  task<> have_begun(int count) {
    const auto enough = [this, count] { return begun_ >= count; };
    co_await eventually(enough);
  }
  static task<> are_queued(std::uint64_t count) {
    const auto enough = [count] { return runtime::current()->stats().pool.user.queued == count; };
    co_await eventually(enough);
  }

 private:
  std::mutex lock_;
  std::vector<int> numbers_;  // Under lock_.
  std::atomic<int> begun_{0};
  std::atomic<int> ended_{0};
  std::counting_semaphore<> released_{0};
};

}  // namespace cove::test
