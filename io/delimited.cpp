#include <cove/io/detail/delimited.hpp>

#include <cove/runtime/error.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace cove::io::detail {

std::optional<found> find_delimiter(std::span<const std::byte> in, std::string_view delimiter,
                                    std::size_t seen, std::size_t most) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(in.data()), std::min(in.size(), most));
  // It may have begun in what was searched.
  const std::size_t from = seen < delimiter.size() ? 0 : seen - delimiter.size() + 1;
  const std::size_t at = text.find(delimiter, from);
  if (at != std::string_view::npos) return found{at, at + delimiter.size(), false};
  if (in.size() >= most) return found{0, 0, true};
  return std::nullopt;
}

std::optional<found> find_line(std::span<const std::byte> in, std::size_t seen,
                               std::size_t most) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(in.data()), in.size());
  const std::size_t at = text.find('\n', seen);
  if (at == std::string_view::npos) {
    // Its last byte may be the CR of an end of line.
    const bool may_fit = in.size() <= most || (in.size() == most + 1 && text.back() == '\r');
    if (may_fit) return std::nullopt;
    return found{0, 0, true};
  }
  const std::size_t size = at > 0 && text[at - 1] == '\r' ? at - 1 : at;
  return found{size, at + 1, size > most};
}

void throw_too_long(const char* verb, std::size_t most) {
  throw io_error(too_long(), verb, 0,
                 "there is no end within the " + std::to_string(most) +
                     " bytes that are allowed; none of it was taken");
}

void throw_ended_inside(const char* verb, std::size_t left) {
  throw io_error(make_error_code(errc::unexpected_end), verb, 0,
                 std::to_string(left) + " bytes came before it, which are still buffered()");
}

void throw_invalid(const char* verb, const char* remedy) {
  throw io_error(std::make_error_code(std::errc::invalid_argument), verb, 0, remedy);
}

}  // namespace cove::io::detail
