#pragma once

#include <cstdint>

namespace cove {

/// Whose calls take turns with each other on the pool. Each lane has threads of its own, so none
/// waits for another's calls.
enum class pool_lane : std::uint8_t {
  file,  ///< What files and directories cost where the system can only be asked and waited for.
  dns,   ///< Names that are looked up by calls that block.
  user,  ///< What programs call.
};

inline constexpr unsigned pool_lanes = 3;

}  // namespace cove
