#pragma once

#include <cerrno>
#include <cstdint>

namespace cove::detail {

/// Makes a system call, again after EINTR; gives what it gave, or -errno.
template <class Call>
std::int64_t retry_call(Call call) noexcept {
  for (;;) {
    const auto outcome = call();
    if (outcome >= 0) return outcome;
    if (errno != EINTR) return -errno;
  }
}

}  // namespace cove::detail
