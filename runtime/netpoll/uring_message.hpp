#pragma once

#include "native_vector.hpp"

namespace cove::netpoll {

/// The buffers of a vectored transfer as the kernel reads them, until it is done.
struct uring_message {
  detail::native_vector parts;
};

}  // namespace cove::netpoll
