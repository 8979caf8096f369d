#include <cove/io/framing.hpp>

#include <limits>
#include <string>

namespace cove::io::detail {
namespace {

/// Where the byte of value 256^`power` stands.
std::size_t place_of(const frame_format& format, std::size_t power) noexcept {
  return format.order == std::endian::little ? power
                                             : static_cast<std::size_t>(format.prefix) - 1 - power;
}

[[noreturn]] void throw_frame(const char* verb, std::uint64_t size, std::uint64_t most,
                              const char* remedy) {
  throw io_error(too_long(), std::string(verb) + " of " + std::to_string(size) + " bytes", 0,
                 std::to_string(most) + remedy);
}

}  // namespace

frame_prefix make_prefix(const frame_format& format, std::size_t size) {
  constexpr const char* verb = "write_frame";
  if (size > format.most)
    throw_frame(verb, size, format.most, " are allowed; none of it was taken");
  const auto width = static_cast<std::size_t>(format.prefix);
  if (width < sizeof size && size >> (8 * width) != 0)
    throw_frame(verb, size, (std::uint64_t{1} << (8 * width)) - 1,
                " are what the prefix can say; take a larger one");
  frame_prefix made{{}, width};
  for (std::size_t power = 0; power < width; ++power)
    made.bytes[place_of(format, power)] =
        static_cast<std::byte>(std::uint64_t{size} >> (8 * power) & 0xff);
  return made;
}

std::size_t read_prefix(const frame_format& format, std::span<const std::byte> bytes) {
  std::uint64_t size = 0;
  for (std::size_t power = 0; power < bytes.size(); ++power)
    size |= std::to_integer<std::uint64_t>(bytes[place_of(format, power)]) << (8 * power);
  // Prefix and frame are counted together.
  const std::size_t countable = std::numeric_limits<std::size_t>::max() - bytes.size();
  const std::size_t most = std::min(format.most, countable);
  if (size > most) throw_frame("read_frame", size, most, " are allowed; none of it was taken");
  return static_cast<std::size_t>(size);
}

void check_line(std::string_view line) {
  if (line.find('\n') != std::string_view::npos)
    throw_invalid("write_line", "the line has an end of line inside; write its parts");
  if (line.ends_with('\r'))
    throw_invalid(
        "write_line",
        "the line ends in CR, which would be read as a part of its end; leave it out, and "
        "give \"\\r\\n\" as the end if there is to be one");
}

}  // namespace cove::io::detail
