#pragma once

#include <exception>
#include <string>

namespace cove::detail {

/// What an exception says of itself.
std::string describe_exception(const std::exception_ptr& failure);

}  // namespace cove::detail
