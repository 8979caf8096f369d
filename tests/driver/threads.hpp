#pragma once

#include "gate.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace cove::driver {

/// One plain OS thread that does short things at a moment: it cancels from outside of the runtime,
/// and finishes replies that have to wait.
class alarm_clock {
 public:
  alarm_clock();
  /// Does at once what is still to come.
  ~alarm_clock();

  void at(clock::time_point when, std::function<void()> what);

 private:
  void run();

  std::mutex lock_;
  std::condition_variable changed_;
  std::multimap<clock::time_point, std::function<void()>> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

/// Threads of their own for what blocks: plain calls of the system, and making and stopping
/// runtimes, which no worker may do.
class helper_threads {
 public:
  void run(std::function<void()> work);
  /// Waits for those that still work; false if some did not end in time.
  bool finish(std::chrono::milliseconds limit);

 private:
  std::mutex lock_;
  std::condition_variable ended_;
  unsigned working_ = 0;
};

/// Runs `work` on a thread and waits for it in a task. A task that is cancelled meanwhile leaves
/// the thread alone, so `work` owns what it uses.
template <class Work>
task<std::invoke_result_t<Work&>> on_thread(helper_threads& threads, Work work) {
  struct errand {
    explicit errand(Work what) : work(std::move(what)) {}
    Work work;
    gate done;
    std::optional<std::invoke_result_t<Work&>> made;
    std::exception_ptr failure;
  };
  const auto mine = std::make_shared<errand>(std::move(work));
  threads.run([mine] {
    try {
      mine->made.emplace(mine->work());
    } catch (...) {
      mine->failure = std::current_exception();
    }
    mine->done.open();
  });
  co_await mine->done.pass();
  if (mine->failure) std::rethrow_exception(std::exchange(mine->failure, nullptr));
  co_return *std::move(mine->made);
}

}  // namespace cove::driver
