#pragma once

#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "histogram.hpp"

namespace cove::examples {

/// What a load generator is asked to do.
struct load_plan {
  unsigned connections = 64;
  unsigned connecting = 256;  ///< Connections being opened at once.
  unsigned size = 64;         ///< Bytes of a message.
  unsigned depth = 1;         ///< Messages in flight on a connection.
  unsigned messages = 0;      ///< On each connection; 0: as many as `duration` allows.
  std::chrono::nanoseconds duration = std::chrono::seconds(5);
  std::chrono::nanoseconds patience = std::chrono::seconds(10);  ///< Without any answer.
};

/// What came of it.
///
/// Threads: any may count; connections are spread over shards, so that they do so undisturbed.
class tally {
 public:
  void answered(unsigned connection, std::chrono::nanoseconds latency) noexcept {
    shard_of(connection).latency.record(static_cast<std::uint64_t>(latency.count()));
    shard_of(connection).answers.fetch_add(1, std::memory_order_relaxed);
  }
  void lost(unsigned connection, std::uint64_t messages) noexcept {
    shard_of(connection).lost.fetch_add(messages, std::memory_order_relaxed);
  }
  void corrupted(unsigned connection) noexcept {
    shard_of(connection).corrupted.fetch_add(1, std::memory_order_relaxed);
  }
  void failed(std::string_view why) {
    const std::lock_guard guard(mutex_);
    ++errors_[std::string(why)];
  }

  std::uint64_t answers() const noexcept { return sum(&shard::answers); }
  std::uint64_t lost() const noexcept { return sum(&shard::lost); }
  std::uint64_t corrupted() const noexcept { return sum(&shard::corrupted); }
  /// All shards in one; for when the load is over, as errors() is.
  void merge_latency(histogram& into) const noexcept {
    for (const shard& each : shards_) into.merge(each.latency);
  }
  const std::map<std::string, std::uint64_t>& errors() const noexcept { return errors_; }

 private:
  struct alignas(64) shard {
    histogram latency;
    std::atomic<std::uint64_t> answers{0};
    std::atomic<std::uint64_t> lost{0};
    std::atomic<std::uint64_t> corrupted{0};
  };

  shard& shard_of(unsigned connection) noexcept { return shards_[connection % shards_.size()]; }
  std::uint64_t sum(std::atomic<std::uint64_t> shard::* count) const noexcept {
    std::uint64_t all = 0;
    for (const shard& each : shards_) all += (each.*count).load(std::memory_order_relaxed);
    return all;
  }

  std::array<shard, 16> shards_;
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> errors_;  // Text -> how often. Under mutex_.
};

}  // namespace cove::examples
