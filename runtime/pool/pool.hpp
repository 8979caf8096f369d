#pragma once

#include "pool/lane.hpp"

#include <cove/runtime/pool_lane.hpp>

#include <array>

namespace cove::pool {

/// The threads of a runtime that may block: what must not wait for one another's calls has lanes of
/// its own.
class thread_pool {
 public:
  /// How many threads each may have at once.
  struct limits {
    unsigned file;
    unsigned dns;
    unsigned user;
  };

  explicit thread_pool(limits most) noexcept
      : lanes_{lane({"file", most.file}), lane({"dns", most.dns}), lane({"user", most.user})} {}

  lane& of(pool_lane which) noexcept { return lanes_[static_cast<std::size_t>(which)]; }

  /// Ends the threads; see lane::end().
  void end() noexcept {
    for (lane& each : lanes_) each.end();
  }

 private:
  std::array<lane, pool_lanes> lanes_;
};

}  // namespace cove::pool
