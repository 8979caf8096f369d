#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cove::test {

/// A system call, by name, that a filter answers with an error in the kernel's place.
struct denied_call {
  int number;
  int error;
  /// Calls with another one are let through.
  std::optional<std::uint32_t> first_argument = std::nullopt;
};

/// "io_uring_setup=EPERM" and the like. Empty if it names a call or an error that the tests do not
/// deny.
std::optional<denied_call> denied_call_from(std::string_view text);

/// From now on the call is denied to this process and to what it starts, for ever. Other threads
/// that are already there are not affected. False if the system knows no such filters.
bool deny(denied_call which);

}  // namespace cove::test
