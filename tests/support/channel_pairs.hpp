#pragma once

#include "support/runtime_test.hpp"

#include <memory>
#include <vector>

// A load of every kind of wait at once: tasks that send numbers over channels, yield and sleep,
// and tasks that add the numbers up.

namespace cove::test {

struct channel_pairs {
  int pairs = 4;
  int count = 500;            ///< Numbers that each pair passes on.
  void (*between)() = [] {};  ///< User code around each number.
};

/// 0 to `count` - 1.
inline task<> talk(channel<int>* to, channel_pairs how) {
  for (int i = 0; i < how.count; ++i) {
    how.between();
    co_await to->send(i);
    if (i % 8 == 0) co_await this_task::yield();
    if (i % 32 == 0) co_await this_task::sleep_for(std::chrono::microseconds(10));
  }
}

inline task<long> sum(channel<int>* from, channel_pairs how) {
  long total = 0;
  for (int i = 0; i < how.count; ++i) {
    const std::optional<int> got = co_await from->receive();
    how.between();
    total += got.value_or(0);
  }
  co_return total;
}

/// Runs them to their ends; every number has arrived.
inline task<> run_pairs(channel_pairs how) {
  std::vector<std::unique_ptr<channel<int>>> channels;
  std::vector<join_handle<void>> talkers;
  std::vector<join_handle<long>> sums;
  for (int i = 0; i < how.pairs; ++i) {
    channels.push_back(std::make_unique<channel<int>>(i % 4 + 1));
    talkers.push_back(spawn(talk, channels.back().get(), how));
    sums.push_back(spawn(sum, channels.back().get(), how));
  }
  for (auto& each : talkers) co_await each;
  for (auto& each : sums) {
    const long total = co_await each;
    CHECK(total == static_cast<long>(how.count) * (how.count - 1) / 2);
  }
}

}  // namespace cove::test
