#pragma once

#include <cove/runtime.hpp>

#include <atomic>
#include <mutex>

namespace cove::driver {

/// A task that anybody may cancel. The handle may come after the wish, so that an operation can be
/// cancelled before it was spawned.
///
/// Threads: any.
class cancel_target {
 public:
  /// Cancels it at once if that was asked for before.
  void hold(join_handle<> task);
  void cancel();
  bool was_asked() const;
  /// Forgets the task and the wish.
  void release();

 private:
  mutable std::mutex lock_;
  join_handle<> task_;
  bool asked_ = false;
};

/// Where one task waits until some thread opens. The library has nothing yet that a thread outside
/// can complete but the end of a task; so the task waits for a child that sleeps for ever, and the
/// thread cancels that.
class gate {
 public:
  /// Ends when the gate was opened, and closes it behind itself.
  /// Errors: canceled or deadline_exceeded, unless it was open by then.
  task<> pass();
  /// Threads: any.
  void open();

 private:
  cancel_target sleeper_;
  std::atomic<bool> opened_{false};
};

/// Until it is cancelled.
task<> sleep_for_ever();

}  // namespace cove::driver
