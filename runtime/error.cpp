#include <cove/runtime/error.hpp>

#include <cove/runtime/detail/assert.hpp>

#include "errno_name.hpp"

#include <cstdio>
#include <cstdlib>

namespace cove {
namespace {

class cove_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "cove"; }

  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::closed: return "closed on this side";
      case errc::deadline_exceeded: return "deadline exceeded";
      case errc::stopped: return "the runtime is stopping";
      case errc::unexpected_end: return "end of stream inside a read";
      case errc::operation_in_progress: return "another task is using this direction";
      case errc::wrong_runtime: return "attached to another runtime";
      case errc::descriptor_too_high: return "descriptor number too high for the backend";
    }
    return "unknown error " + std::to_string(value);
  }

  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
      case errc::deadline_exceeded: return std::errc::timed_out;
      case errc::stopped: return std::errc::operation_canceled;
      case errc::operation_in_progress: return std::errc::operation_in_progress;
      default: return {value, *this};
    }
  }
};

std::string compose(std::error_code code, std::string_view context, std::string_view remedy) {
  std::string text(context);
  text += ": ";
  text += describe(code);
  if (!remedy.empty()) {
    text += "; ";
    text += remedy;
  }
  return text;
}

}  // namespace

const std::error_category& category() noexcept {
  static const cove_category instance;
  return instance;
}

std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), category()}; }

std::error_code system_error_code(int error_number) noexcept {
  return {error_number, std::system_category()};
}

std::string describe(std::error_code code) {
  if (code.category() != std::system_category() && code.category() != std::generic_category())
    return code.message();
  return detail::errno_text(code.value());
}

error::error(std::error_code code, std::string_view context, std::string_view remedy)
    : std::system_error(code), text_(compose(code, context, remedy)) {}

io_error::io_error(std::error_code code, std::string_view context, std::size_t transferred,
                   std::string_view remedy)
    : error(code, context, remedy), transferred_(transferred) {}

canceled::canceled(std::string_view context, std::size_t transferred)
    : io_error(std::make_error_code(std::errc::operation_canceled), context, transferred) {}

namespace detail {

void throw_error(std::error_code code, std::string_view context, std::string_view remedy) {
  if (code == std::errc::operation_canceled && code.category() != category())
    throw canceled(context);
  throw error(code, context, remedy);
}

void check_failed(const char* condition, const char* file, int line, const char* why) noexcept {
  std::fprintf(stderr, "cove: %s:%d: %s (%s)\n", file, line, why, condition);
  std::abort();
}

}  // namespace detail
}  // namespace cove
