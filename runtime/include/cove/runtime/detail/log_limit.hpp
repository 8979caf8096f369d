#pragma once

#include <atomic>
#include <cstdint>

namespace cove::detail {

/// Lets through one of many log entries that are alike, and counts those that it holds back.
/// Threads: any.
class log_limit {
 public:
  explicit log_limit(std::int64_t every_ns) noexcept : every_ns_(every_ns) {}
  /// Before its first use only.
  log_limit(log_limit&& other) noexcept : every_ns_(other.every_ns_) {}

  /// One more. 0: not now. Else an entry is due, for so many since the last one, this one included.
  std::uint64_t count(std::int64_t now_ns) noexcept {
    // relaxed: who moves the moment writes the entry; the number only has to be right in the end.
    held_back_.fetch_add(1, std::memory_order_relaxed);
    std::int64_t until = silent_until_ns_.load(std::memory_order_relaxed);
    if (now_ns < until || !silent_until_ns_.compare_exchange_strong(until, now_ns + every_ns_,
                                                                    std::memory_order_relaxed))
      return 0;
    return held_back_.exchange(0, std::memory_order_relaxed);
  }
  /// Those that no entry has told of yet.
  std::uint64_t held_back() const noexcept { return held_back_.load(std::memory_order_relaxed); }

 private:
  const std::int64_t every_ns_;
  std::atomic<std::int64_t> silent_until_ns_{INT64_MIN};
  std::atomic<std::uint64_t> held_back_{0};
};

}  // namespace cove::detail
