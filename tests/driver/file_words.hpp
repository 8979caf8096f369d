#pragma once

#include <cove/io/file_status.hpp>

#include "request.hpp"

namespace cove::driver {

/// The member `mode`: permissions as text of octal digits. `fallback` if there is none.
std::uint32_t permissions_or(const request& asked, std::uint32_t fallback);
/// The members of a reply that say what the system knows of a file.
void tell_status(json& members, const io::file_status& status);

}  // namespace cove::driver
