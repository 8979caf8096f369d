#pragma once

#include <string_view>

namespace cove::detail {

enum class log_level : unsigned char { info, warning, error };

/// Writes one entry to the logger named "cove": the application's, if it registered one with
/// spdlog, else one to standard error.
/// Threads: any. Never throws: an entry that cannot be written is lost.
void log(log_level level, std::string_view text) noexcept;

/// Writes out what is buffered.
void flush_log() noexcept;

}  // namespace cove::detail
