#pragma once

#include <cove/runtime.hpp>

#include <mutex>

namespace cove::driver {

/// A mutex that stays locked after the request that locked it.
///
/// Threads: any.
class lockable {
 public:
  task<> lock() {
    mutex_guard guard = co_await mutex_.lock();
    // Whoever held it before has taken its guard from here.
    const std::lock_guard keep(keeping_);
    held_ = std::move(guard);
  }
  /// False if it is not locked.
  bool unlock() {
    mutex_guard given;
    {
      const std::lock_guard keep(keeping_);
      given = std::move(held_);
    }
    return given.owns_lock();
  }

 private:
  mutex mutex_;
  std::mutex keeping_;
  mutex_guard held_;
};

using number_channel = channel<std::int64_t>;

}  // namespace cove::driver
