#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace cove::detail {

enum class log_level : unsigned char { info, warning, error };

/// Writes one entry to the logger named "cove": the application's, if it registered one with
/// spdlog, else one to standard error.
/// Threads: any. Never throws: an entry that cannot be written is lost.
void log(log_level level, std::string_view text) noexcept;

/// What an exception says of itself.
std::string describe_exception(const std::exception_ptr& failure);

/// Writes out what is buffered.
void flush_log() noexcept;

}  // namespace cove::detail
