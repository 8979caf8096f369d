#pragma once

#include <exception>
#include <string>
#include <system_error>

namespace cove::driver {

/// The protocol's word for an error code: "refused", "closed", ...; "other" for what it has none.
std::string error_class_of(std::error_code code);

/// A failure as a reply tells it.
struct told_failure {
  std::string error_class;
  std::string detail;
  std::string what;             ///< For "unsupported": the name that is not known.
  std::size_t transferred = 0;  ///< Bytes that had moved before it.
};
told_failure tell(const std::exception_ptr& failure);

}  // namespace cove::driver
