#pragma once

#include "support/runtime_test.hpp"

#include <array>
#include <condition_variable>
#include <mutex>

// Something that a task runs into in user code, and its thread with it.

namespace cove::test {

/// How a thread is stuck: only a system call tells the kernel's completion work apart.
enum class stuck_in { computing, sleeping, waiting };
inline constexpr std::array every_way{stuck_in::computing, stuck_in::sleeping, stuck_in::waiting};

/// What keeps threads, until somebody lets them go.
class obstacle {
 public:
  /// Does not come back before let_go(). False: that was in vain.
  bool hold_up(stuck_in what = stuck_in::waiting) {
    ++held_;
    const auto limit = std::chrono::steady_clock::now() + patience;
    // Reading the clock is no system call.
    while (!gone_ && std::chrono::steady_clock::now() < limit) {
      if (what == stuck_in::sleeping)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));  // tidy: allow
      if (what == stuck_in::waiting) {
        std::unique_lock guard(lock_);
        told_.wait_for(guard, patience, [this] { return gone_.load(); });
      }
    }
    return gone_;
  }
  void let_go() {
    {
      const std::lock_guard guard(lock_);
      gone_ = true;
    }
    told_.notify_all();
  }
  /// How many threads have come to it.
  unsigned held() const noexcept { return held_; }

 private:
  std::mutex lock_;
  std::condition_variable told_;
  std::atomic<unsigned> held_{0};
  std::atomic<bool> gone_{false};
};

inline task<bool> run_into(obstacle* what, stuck_in how) { co_return what->hold_up(how); }

inline task<> until_held(const obstacle* what, unsigned count = 1) {
  const auto held = [what, count] { return what->held() >= count; };
  co_await eventually(held);
}

}  // namespace cove::test
