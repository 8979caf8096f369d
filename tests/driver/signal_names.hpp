#pragma once

#include <string_view>

namespace cove::driver {

/// The system's number of the signal `name`: "TERM" and the like. Refuses what has none here.
int signal_of(std::string_view name);

}  // namespace cove::driver
