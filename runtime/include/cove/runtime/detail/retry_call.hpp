#pragma once

#include <cerrno>
#include <cstdint>

namespace cove::detail {

/// Makes a system call again for as long as a signal interrupts it; gives what it gave.
template <class Call>
auto uninterrupted(Call call) noexcept {
  for (;;) {
    const auto outcome = call();
    if (outcome >= 0 || errno != EINTR) return outcome;
  }
}

/// The same, with -errno in place of -1.
template <class Call>
std::int64_t retry_call(Call call) noexcept {
  const auto outcome = uninterrupted(call);
  return outcome >= 0 ? outcome : -errno;
}

}  // namespace cove::detail
