#pragma once

#include "netpoll/backend.hpp"
#include "netpoll/desc_table.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace cove::netpoll {

/// What a backend is made for.
struct backend_settings {
  desc_table& table;
  unsigned lanes = 1;   ///< Processors.
  bool sysmon = false;  ///< Somebody looks after workers that are stuck.
  /// A descriptor whose backend::close() gave false has been let go by the kernel. Gives a task
  /// that may go on, or nullptr.
  detail::task_ctl* (*closed)(poll_desc& desc) noexcept = nullptr;
  /// Schedules what came while close() waited.
  void (*resume)(detail::task_list& ready) noexcept = nullptr;
};

/// Throws error if the system does not give what the backend needs.
using backend_maker = std::unique_ptr<backend> (*)(const backend_settings& chosen);

/// Makes the backend called `name` ("" for the platform's default). If the
/// system refuses it, the default takes its place and `reason` says why, as does the log.
/// Errors: error with invalid_argument for an unknown name, which lists the valid ones, and for a
/// setting of the backend's that makes no sense; what the default throws.
std::unique_ptr<backend> make_backend(std::string_view name, const backend_settings& chosen,
                                      std::string& reason);

/// Adds a backend of the tests to those that make_backend knows; before any runtime is made.
void register_backend(std::string_view name, backend_maker maker);

}  // namespace cove::netpoll
