#include <cove/net/address.hpp>

#include <algorithm>
#include <limits>

// One pass decides whether a text is an address; nothing is allocated, also where it is not. Why it
// is not is kept as a `refusal` of static strings and pieces of the text, from which parse makes
// the words and try_parse takes the code alone.

namespace cove::net {
namespace {

struct refusal {
  std::errc code{};
  std::string_view problem;
  std::string_view remedy;
  // Where the intent can be guessed, the parts of a text that would do; they replace `remedy`.
  std::string_view host{};
  std::string_view port{};
  std::string_view other_host{};

  explicit operator bool() const { return code != std::errc{}; }
};

constexpr std::string_view example_port = "80";
constexpr std::string_view both_forms = "write it as in 192.0.2.1:80 or [2001:db8::1]:80";

refusal not_an_ip(std::string_view remedy) {
  return {std::errc::invalid_argument, "not an IP address", remedy};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The value of a hexadecimal digit, or -1.
int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_decimal(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// "0" has none, "00" and "01" have one.
bool has_leading_zero(std::string_view digits) { return digits.size() > 1 && digits[0] == '0'; }

/// Reads decimal digits into `number`; false where they exceed `limit`.
bool read_decimal(std::string_view digits, std::uint32_t limit, std::uint32_t& number) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > limit) return false;
  }
  number = static_cast<std::uint32_t>(value);
  return true;
}

refusal read_v4(std::string_view text, std::span<std::uint8_t, 4> bytes) {
  constexpr std::string_view four_numbers = "an IPv4 address has four numbers, as in 192.0.2.1";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool last = i + 1 == bytes.size();
    const std::size_t end = last ? text.size() : text.find('.');
    if (end == std::string_view::npos) return not_an_ip(four_numbers);
    const std::string_view digits = text.substr(0, end);
    text.remove_prefix(last ? end : end + 1);
    std::uint32_t number = 0;
    if (!is_decimal(digits)) return not_an_ip(four_numbers);
    if (has_leading_zero(digits))
      return not_an_ip("leave out the leading zeros: some would read the number as octal");
    if (!read_decimal(digits, 255, number))
      return not_an_ip("each number of an IPv4 address is at most 255");
    bytes[i] = static_cast<std::uint8_t>(number);
  }
  return {};
}

refusal read_v6(std::string_view text, std::span<std::uint8_t, 16> bytes) {
  constexpr std::string_view eight_groups =
      "an IPv6 address has eight groups, or fewer and one ::, as in 2001:db8::1";
  constexpr std::string_view hex_group =
      "a group of an IPv6 address is one to four hexadecimal digits";
  constexpr std::string_view one_gap = "an IPv6 address has at most one ::";
  constexpr std::size_t no_gap = 17;
  std::size_t gap = no_gap;  // where in `bytes` the zeros of :: go
  std::size_t used = 0;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  } else if (text.starts_with(':')) {
    return not_an_ip(eight_groups);
  }
  while (!text.empty()) {
    std::size_t end = 0;
    unsigned group = 0;
    for (; end < text.size() && hex_value(text[end]) >= 0; ++end)
      group = (group << 4 | static_cast<unsigned>(hex_value(text[end]))) & 0xffff;
    if (end < text.size() && text[end] == '.') {
      if (used > 12) return not_an_ip(eight_groups);
      if (const refusal why = read_v4(text, bytes.subspan(used).first<4>())) return why;
      used += 4;
      break;
    }
    if (end == 0) return not_an_ip(text[0] == ':' ? one_gap : hex_group);
    if (end > 4) return not_an_ip(hex_group);
    if (used == bytes.size()) return not_an_ip(eight_groups);
    bytes[used++] = static_cast<std::uint8_t>(group >> 8);
    bytes[used++] = static_cast<std::uint8_t>(group & 0xff);
    text.remove_prefix(end);
    if (text.empty()) break;
    if (text[0] != ':') return not_an_ip(hex_group);
    if (text.size() == 1) return not_an_ip(eight_groups);
    text.remove_prefix(1);
    if (text[0] == ':') {
      if (gap != no_gap) return not_an_ip(one_gap);
      gap = used;
      text.remove_prefix(1);
    }
  }
  if ((gap == no_gap) != (used == bytes.size())) return not_an_ip(eight_groups);
  if (gap != no_gap) {
    const auto tail = bytes.subspan(gap, used - gap);
    std::copy_backward(tail.begin(), tail.end(), bytes.end());
    std::ranges::fill(bytes.subspan(gap, bytes.size() - used), std::uint8_t{0});
  }
  return {};
}

/// True for what can stand in the name of an interface. Without these limits junk behind an
/// address would be reported as an interface that is missing.
bool is_zone_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte != 0x7f && std::string_view("/:%[]").find(c) == std::string_view::npos;
}

refusal read_zone(std::string_view zone, std::uint32_t& scope_id) {
  if (zone.empty() || !std::all_of(zone.begin(), zone.end(), is_zone_character))
    return not_an_ip("an interface's name or number follows the %, as in fe80::1%3");
  if (is_decimal(zone)) {
    if (has_leading_zero(zone)) return not_an_ip("leave out the leading zeros of the scope");
    if (!read_decimal(zone, std::numeric_limits<std::uint32_t>::max(), scope_id))
      return {std::errc::result_out_of_range, "scope out of range",
              "a scope is at most 4294967295"};
    return {};
  }
  const result<std::uint32_t> index = interface_index(zone);
  if (!index)
    return {std::errc::no_such_device, "no interface of that name",
            "an interface of this host follows the %"};
  scope_id = *index;
  return {};
}

refusal read_ip(std::string_view text, ip_address& ip) {
  if (text.empty()) return not_an_ip("the text is empty");
  if (text.find(':') == std::string_view::npos) {
    std::array<std::uint8_t, 4> bytes{};
    if (text.find('%') != std::string_view::npos)
      return not_an_ip("only an IPv6 address has a scope");
    if (!is_digit(text[0])) return not_an_ip("a name has to be resolved first");
    if (const refusal why = read_v4(text, bytes)) return why;
    ip = ip_address::from_bytes(bytes);
    return {};
  }
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t percent = text.find('%');
  if (const refusal why = read_v6(text.substr(0, percent), bytes)) return why;
  ip = ip_address::from_bytes(bytes);
  if (percent == std::string_view::npos) return {};
  if (ip.is_v4_mapped()) return not_an_ip("an IPv4-mapped address has no scope");
  std::uint32_t scope_id = 0;
  if (const refusal why = read_zone(text.substr(percent + 1), scope_id)) return why;
  ip = ip.with_scope(scope_id);
  return {};
}

refusal read_port(std::string_view text, std::uint16_t& port) {
  constexpr std::string_view range = "a port is a number from 0 to 65535";
  if (text.empty()) return {std::errc::invalid_argument, "no port after the colon", range};
  if (!is_decimal(text)) return {std::errc::invalid_argument, "the port is not a number", range};
  if (has_leading_zero(text))
    return {std::errc::invalid_argument, "the port has a leading zero", range};
  std::uint32_t number = 0;
  if (!read_decimal(text, 65535, number))
    return {std::errc::result_out_of_range, "port out of range", range};
  port = static_cast<std::uint16_t>(number);
  return {};
}

/// The port for a suggestion: the one in the text if it can be used.
std::string_view port_or_example(std::string_view port) {
  std::uint16_t number = 0;
  return read_port(port, number) ? example_port : port;
}

/// True if the text is an address but for a scope this host does not have.
bool has_form_of_ip(std::string_view text) {
  ip_address ip;
  return read_ip(text, ip).code != std::errc::invalid_argument;
}

refusal no_host(std::string_view port) {
  return {std::errc::invalid_argument, "no host", {}, "0.0.0.0", port_or_example(port), "::"};
}

refusal no_port(std::string_view host) {
  return {std::errc::invalid_argument, "no port", {}, host, example_port};
}

refusal bad_host(std::string_view remedy) {
  return {std::errc::invalid_argument, "the host is not an IP address", remedy};
}

/// An IPv6 address that is not in brackets, and may have a port: `::1:80` would be both.
refusal refuse_bare_v6(std::string_view text, std::string_view host, std::string_view port) {
  constexpr std::string_view problem = "an IPv6 address without brackets";
  std::uint16_t number = 0;
  const bool has_port = !read_port(port, number);
  if (has_form_of_ip(host) && (has_port || !has_form_of_ip(text)))
    return {std::errc::invalid_argument, problem, {}, host, port_or_example(port)};
  if (has_form_of_ip(text)) return {std::errc::invalid_argument, problem, {}, text, example_port};
  return bad_host(both_forms);
}

refusal read_bracketed(std::string_view text, socket_address& address) {
  constexpr std::string_view brackets = "brackets are for IPv6";
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos)
    return {std::errc::invalid_argument, "no closing bracket", both_forms};
  const std::string_view host = text.substr(1, close - 1);
  const std::string_view rest = text.substr(close + 1);
  const std::string_view port_text = rest.substr(rest.empty() ? 0 : 1);
  if (host.empty()) return no_host(port_text);
  ip_address ip;
  if (const refusal why = read_ip(host, ip))
    return why.code == std::errc::invalid_argument ? bad_host(why.remedy) : why;
  if (ip.is_v4())
    return {std::errc::invalid_argument, brackets, {}, host, port_or_example(port_text)};
  if (rest.empty()) return no_port(host);
  if (rest[0] != ':')
    return {std::errc::invalid_argument, "no colon after the closing bracket", both_forms};
  std::uint16_t port = 0;
  if (const refusal why = read_port(port_text, port)) return why;
  address = socket_address(ip, port);
  return {};
}

refusal read_socket_address(std::string_view text, socket_address& address) {
  if (text.empty()) return {std::errc::invalid_argument, "the text is empty", both_forms};
  if (text[0] == '[') return read_bracketed(text, address);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return has_form_of_ip(text) ? no_port(text) : bad_host(both_forms);
  const std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.empty()) return no_host(port_text);
  if (host.find(':') != std::string_view::npos) return refuse_bare_v6(text, host, port_text);
  ip_address ip;
  if (const refusal why = read_ip(host, ip)) return bad_host(why.remedy);
  std::uint16_t port = 0;
  if (const refusal why = read_port(port_text, port)) return why;
  address = socket_address(ip, port);
  return {};
}

/// The text as an error shows it: cut where it is long, and without bytes that a terminal would
/// act on.
std::string shown(std::string_view text) {
  constexpr std::size_t longest = 100;
  constexpr std::string_view hex_digits = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte >= 0x7f) {
      out += "\\x";
      out += hex_digits[byte >> 4];
      out += hex_digits[byte & 0xf];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  if (text.size() > longest) out += "...";
  return out;
}

std::string joined(std::string_view host, std::string_view port) {
  const bool is_v6 = host.find(':') != std::string_view::npos;
  return (is_v6 ? "[" + shown(host) + "]:" : shown(host) + ":").append(port);
}

[[noreturn]] void throw_refusal(std::string_view text, const refusal& why) {
  std::string remedy(why.remedy);
  if (!why.host.empty()) remedy = "write " + joined(why.host, why.port);
  if (!why.other_host.empty()) remedy += " or " + joined(why.other_host, why.port);
  throw error(std::make_error_code(why.code),
              "parse \"" + shown(text) + "\": " + std::string(why.problem), remedy);
}

}  // namespace

result<ip_address> ip_address::try_parse(std::string_view text) {
  ip_address ip;
  if (const refusal why = read_ip(text, ip)) return std::make_error_code(why.code);
  return ip;
}

ip_address ip_address::parse(std::string_view text) {
  ip_address ip;
  if (const refusal why = read_ip(text, ip)) throw_refusal(text, why);
  return ip;
}

result<socket_address> socket_address::try_parse(std::string_view text) {
  socket_address address;
  if (const refusal why = read_socket_address(text, address)) return std::make_error_code(why.code);
  return address;
}

socket_address socket_address::parse(std::string_view text) {
  socket_address address;
  if (const refusal why = read_socket_address(text, address)) throw_refusal(text, why);
  return address;
}

socket_address::socket_address(std::string_view text) : socket_address(parse(text)) {}

socket_address::socket_address(const std::string& text) : socket_address(parse(text)) {}

socket_address::socket_address(const char* text)
    : socket_address(parse(text == nullptr ? std::string_view() : std::string_view(text))) {}

}  // namespace cove::net
