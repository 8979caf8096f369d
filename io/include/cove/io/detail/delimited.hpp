#pragma once

#include <cove/io/buffer.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

// What reads that look for an end have in common, apart from the stream.

namespace cove::io::detail {

/// What was found in the bytes that are there.
struct found {
  std::size_t size = 0;   ///< Without the end.
  std::size_t taken = 0;  ///< With it.
  bool too_long = false;  ///< However it goes on.
};

/// Looks for `delimiter` behind the first `seen` bytes, which were searched before. `most`: bytes
/// with the delimiter. Nothing: more has to be read.
std::optional<found> find_delimiter(std::span<const std::byte> in, std::string_view delimiter,
                                    std::size_t seen, std::size_t most) noexcept;
/// The same for an end of line, LF or CR LF. `most`: bytes without it.
std::optional<found> find_line(std::span<const std::byte> in, std::size_t seen,
                               std::size_t most) noexcept;

/// The code of what is longer than it may be.
inline std::error_code too_long() noexcept { return std::make_error_code(std::errc::message_size); }
[[noreturn]] void throw_too_long(const char* verb, std::size_t most);
/// The stream has ended with `left` bytes that are no whole.
[[noreturn]] void throw_ended_inside(const char* verb, std::size_t left);
[[noreturn]] void throw_invalid(const char* verb, const char* remedy);

}  // namespace cove::io::detail
