#include <cove/runtime/detail/log.hpp>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace cove::detail {
namespace {

std::shared_ptr<spdlog::logger> logger() {
  if (auto registered = spdlog::get("cove")) return registered;
  try {
    return spdlog::stderr_logger_mt("cove");
  } catch (const spdlog::spdlog_ex&) {
    return spdlog::get("cove");  // Another thread was first.
  }
}

spdlog::level::level_enum native(log_level level) noexcept {
  switch (level) {
    case log_level::info: return spdlog::level::info;
    case log_level::warning: return spdlog::level::warn;
    case log_level::error: break;
  }
  return spdlog::level::err;
}

}  // namespace

void log(log_level level, std::string_view text) noexcept {
  try {
    if (const auto to = logger())
      to->log(native(level), spdlog::string_view_t(text.data(), text.size()));
  } catch (...) {
  }
}

void flush_log() noexcept {
  try {
    if (const auto to = logger()) to->flush();
  } catch (...) {
  }
}

}  // namespace cove::detail
