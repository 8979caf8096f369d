#pragma once

#include "pool/lane.hpp"

#include <cove/runtime/pool_lane.hpp>

#include <array>

namespace cove::pool {

/// The threads of a runtime that may block: what must not wait for one another's calls has lanes of
/// its own.
class thread_pool {
 public:
  /// In the order of pool_lane.
  using lanes_settings = std::array<lane_settings, pool_lanes>;

  explicit thread_pool(const lanes_settings& chosen) noexcept
      : lanes_{lane(chosen[0]), lane(chosen[1]), lane(chosen[2])} {}

  lane& of(pool_lane which) noexcept { return lanes_[static_cast<std::size_t>(which)]; }
  std::array<lane, pool_lanes>& lanes() noexcept { return lanes_; }

  /// Ends the threads; see lane::end().
  void end() noexcept {
    for (lane& each : lanes_) each.end();
  }

 private:
  std::array<lane, pool_lanes> lanes_;
};

}  // namespace cove::pool
