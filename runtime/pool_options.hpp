#pragma once

#include "pool/pool.hpp"

#include <cove/runtime/pool_options.hpp>

namespace cove::detail {

/// What the lanes are built with: what was asked for, and for the rest what fits so many workers.
/// Errors: error if an option makes no sense; it is named.
pool::thread_pool::lanes_settings settle(const pool_options& asked, unsigned workers);

}  // namespace cove::detail
