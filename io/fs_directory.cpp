#include <cove/io/fs_directory.hpp>

#include <cove/runtime/blocking.hpp>

#include "directory_stream.hpp"
#include "path_calls.hpp"

namespace cove::io::fs {
namespace {

const char* remedy_for(const std::string& path, std::error_code why) noexcept {
  if (why == std::errc::no_such_file_or_directory) return detail::remedy_of_no_file(path);
  if (why == std::errc::not_a_directory) return "only directories have entries";
  if (why == std::errc::invalid_argument) return "no path has a byte 0 in it";
  if (why == std::errc::permission_denied) return "see to its permissions";
  if (why == std::errc::too_many_files_open) return "raise the limit (ulimit -n), or close some";
  return "";
}

[[noreturn]] void fail(const std::string& path, std::error_code why) {
  cove::detail::throw_error(why, "read_directory " + detail::quoted(path), remedy_for(path, why));
}

}  // namespace

generator<directory_entry> read_directory(std::string path) {
  if (path.find('\0') != std::string::npos)
    fail(path, std::make_error_code(std::errc::invalid_argument));
  detail::directory_stream from;
  while (!from.ended) {
    auto reading = blocking(pool_lane::file, &detail::directory_stream::read_some, &from, path);
    auto settled = std::move(reading).as_result();
    settled.name = "read_directory";
    const result<void> read = co_await std::move(settled);
    if (!read) fail(path, read.error());
    for (directory_entry& each : from.entries) co_yield each;
    // What came before it is good.
    if (from.failed) fail(path, from.failed);
  }
}

}  // namespace cove::io::fs
