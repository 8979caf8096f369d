#pragma once

#include "netpoll/poll_desc.hpp"

namespace cove::detail {

/// The last operation has left a closed descriptor: gives the number back, tells whoever waits for
/// that, and recycles the poll descriptor if no handle is left.
void shut_descriptor(netpoll::poll_desc& desc) noexcept;

}  // namespace cove::detail
