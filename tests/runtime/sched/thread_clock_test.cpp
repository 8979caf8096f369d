#include "sched/thread_clock.hpp"

#include "support/runtime_test.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

// What a thread's clock says to others, who tell by it whether the thread blocks or computes.

namespace {

using cove::sched::thread_clock;
using cove::test::thread_waits_for;

/// A thread that hands out its clock and runs `body` until it is over.
class clocked_thread {
 public:
  explicit clocked_thread(void (*body)(const std::atomic<bool>& over)) {
    thread_ = std::thread([this, body] {
      clock_ = thread_clock::of_this_thread();
      started_ = true;
      started_.notify_one();
      body(over_);
    });
    started_.wait(false);
  }
  clocked_thread(const clocked_thread&) = delete;
  clocked_thread& operator=(const clocked_thread&) = delete;
  ~clocked_thread() {
    over_ = true;
    over_.notify_one();
    thread_.join();
  }

  std::int64_t ns() const noexcept { return clock_.ns(); }

 private:
  thread_clock clock_;
  std::atomic<bool> started_{false};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("M19 a thread's clock goes while it computes") {
  const clocked_thread busy([](const std::atomic<bool>& over) {
    while (!over) continue;
  });
  const std::int64_t before = busy.ns();
  CHECK(before >= 0);
  CHECK(thread_waits_for([&] { return busy.ns() > before + 1'000'000; }));
}

TEST_CASE("M19 a thread's clock stands still while it blocks") {
  const clocked_thread blocked([](const std::atomic<bool>& over) { over.wait(false); });
  const thread_clock mine = thread_clock::of_this_thread();
  const auto stands_still = [&] {
    const std::int64_t before = blocked.ns();
    const std::int64_t start = mine.ns();
    while (mine.ns() < start + 1'000'000) continue;
    return before >= 0 && blocked.ns() == before;
  };
  CHECK(thread_waits_for(stands_still));
}

TEST_CASE("M19 a thread that has ended has no clock") {
  thread_clock clock;
  std::thread([&] { clock = thread_clock::of_this_thread(); }).join();
  CHECK(thread_waits_for([&] { return clock.ns() == -1; }));
  CHECK(thread_clock().ns() == -1);
}
