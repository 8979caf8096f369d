#pragma once

#include "netpoll/pick.hpp"

namespace cove::netpoll {

/// Errors: error of what the system refuses, or that this build has no io_uring.
std::unique_ptr<backend> make_uring(const backend_settings& chosen);

}  // namespace cove::netpoll
