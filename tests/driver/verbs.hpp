#pragma once

#include "call.hpp"

#include <span>

namespace cove::driver {

/// What the driver can be asked to do. `prepare` reads the request and makes everything that does
/// not belong to the operation (payloads, buffers, names); what it throws refuses the request. The
/// task that it gives is the operation: the clock, the limits and cancellation concern that alone.
///
/// A verb that the library cannot serve yet is in no table: it is answered "unsupported", and the
/// ready line does not name it.
struct verb {
  std::string_view name;
  std::vector<std::string_view> members;  ///< Beside those that every request may have.
  task<> (*prepare)(call& which);
  /// Does "cancel_us" concern parts of this request, and not the whole, as it does elsewhere?
  bool (*cancels_parts)(const request& asked) = nullptr;
};

/// Null if there is no such verb.
const verb* find_verb(std::string_view name);
/// In alphabetical order.
std::vector<std::string_view> verb_names();

/// Awaits `parts` and gives what left them, if anything did: the members of a reply are told with
/// a failure, too, so they come first, and then it is rethrown.
task<std::exception_ptr> failure_of(task<> parts);

// One table a file.
std::span<const verb> handle_verbs();
std::span<const verb> stream_verbs();
std::span<const verb> read_verbs();
std::span<const verb> read_all_verbs();
std::span<const verb> write_verbs();
std::span<const verb> copy_verbs();
std::span<const verb> serve_verbs();
std::span<const verb> descriptor_verbs();
std::span<const verb> file_verbs();
std::span<const verb> path_verbs();
std::span<const verb> process_verbs();
std::span<const verb> composite_verbs();
std::span<const verb> task_verbs();
std::span<const verb> sync_verbs();
std::span<const verb> runtime_verbs();
std::span<const verb> host_verbs();
std::span<const verb> storm_verbs();
std::span<const verb> timer_verbs();

}  // namespace cove::driver
