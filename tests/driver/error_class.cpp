#include "error_class.hpp"

#include <cove/runtime/error.hpp>

#include "request.hpp"

#include <new>

namespace cove::driver {
namespace {

struct named_code {
  std::error_condition code;
  const char* name;
};

/// Codes of cove, which also compare equal to a system's code, come before the system's.
const named_code names[] = {
    {std::errc::operation_canceled, "cancelled"},
    {std::errc::timed_out, "timeout"},
    {std::errc::connection_refused, "refused"},
    {std::errc::connection_reset, "reset"},
    {std::errc::connection_aborted, "reset"},
    {std::errc::broken_pipe, "pipe"},
    {std::errc::address_in_use, "inuse"},
    {std::errc::address_not_available, "notavail"},
    {std::errc::network_unreachable, "unreach"},
    {std::errc::host_unreachable, "unreach"},
    {std::errc::network_down, "unreach"},
    {std::errc::not_connected, "notconn"},
    {std::errc::already_connected, "isconn"},
    {std::errc::operation_would_block, "wouldblock"},
    {std::errc::resource_unavailable_try_again, "wouldblock"},
    {std::errc::interrupted, "intr"},
    {std::errc::filename_too_long, "toolong"},
    {std::errc::message_size, "msgsize"},
    {std::errc::destination_address_required, "destaddr"},
    {std::errc::too_many_files_open, "nofile"},
    {std::errc::too_many_files_open_in_system, "nofile"},
    {std::errc::not_enough_memory, "nomem"},
    {std::errc::no_buffer_space, "nomem"},
    {std::errc::invalid_argument, "invalid"},
    {std::errc::address_family_not_supported, "invalid"},
    {std::errc::result_out_of_range, "invalid"},
    {std::errc::resource_deadlock_would_occur, "deadlock"},
    {std::errc::no_such_file_or_directory, "noent"},
    {std::errc::file_exists, "exists"},
    {std::errc::not_a_directory, "notdir"},
    {std::errc::is_a_directory, "isdir"},
    {std::errc::too_many_symbolic_link_levels, "loop"},
    {std::errc::directory_not_empty, "notempty"},
    {std::errc::no_space_on_device, "nospace"},
    {std::errc::io_error, "io"},
    {std::errc::permission_denied, "perm"},
    {std::errc::operation_not_permitted, "perm"},
    {std::errc::read_only_file_system, "perm"},
    {std::errc::bad_file_descriptor, "badfd"},
    {std::errc::not_a_socket, "notsock"},
    {std::errc::no_such_device, "nodev"},
    {std::errc::no_such_device_or_address, "nodev"},
    {std::errc::no_child_process, "nochild"},
    {std::errc::no_such_process, "done"},
};

}  // namespace

std::string error_class_of(std::error_code code) {
  if (code == errc::closed) return "closed";
  if (code == errc::stopped) return "stopped";
  if (code == errc::unexpected_end) return "unexpected-eof";
  for (const named_code& known : names)
    if (code == known.code) return known.name;
  return "other";
}

told_failure tell(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const refusal& why) {
    return {why.error_class, why.what(), why.named};
  } catch (const io_error& why) {
    return {error_class_of(why.code()), why.what(), {}, why.transferred()};
  } catch (const std::system_error& why) {
    return {error_class_of(why.code()), why.what(), {}};
  } catch (const std::bad_alloc& why) {
    return {"nomem", why.what(), {}};
  } catch (const std::exception& why) {
    return {"exception", why.what(), {}};
  } catch (...) {
    return {"exception", "an exception that is no std::exception", {}};
  }
}

}  // namespace cove::driver
