#pragma once

#include <string>

namespace cove::detail {

/// `connection refused (ECONNREFUSED)`: the system's description in lower case with its name.
std::string errno_text(int error_number);

}  // namespace cove::detail
