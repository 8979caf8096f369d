#pragma once

#include <string>

namespace cove::io::detail {

/// `9 (SIGKILL)`: a signal's number, with its name where it has one.
std::string signal_text(int number);

}  // namespace cove::io::detail
