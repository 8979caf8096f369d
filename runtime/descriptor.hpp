#pragma once

#include "netpoll/poll_desc.hpp"

namespace cove::detail {

/// The last operation has left a closed descriptor: the poller lets it go, its number goes
/// back to the system, whoever waits for that is told, and the poll descriptor is recycled if no
/// handle is left.
void shut_descriptor(netpoll::poll_desc& desc) noexcept;

/// The second half of that, once the poller has let it go. Who waited is the caller's to schedule.
task_ctl* give_back(netpoll::poll_desc& desc) noexcept;

}  // namespace cove::detail
