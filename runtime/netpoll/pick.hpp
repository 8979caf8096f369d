#pragma once

#include "netpoll/backend.hpp"
#include "netpoll/desc_table.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace cove::netpoll {

using backend_maker = std::unique_ptr<backend> (*)(desc_table& table);

/// Makes the backend called `name` ("" for the platform's default).
/// Errors: error with invalid_argument for an unknown name; it lists the valid ones.
std::unique_ptr<backend> make_backend(std::string_view name, desc_table& table);

/// Adds a backend of the tests to those that make_backend knows; before any runtime is made.
void register_backend(std::string_view name, backend_maker maker);

}  // namespace cove::netpoll
