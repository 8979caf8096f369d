#include <cove/net/address.hpp>

#include <algorithm>
#include <charconv>

namespace cove::net {
namespace {

constexpr std::size_t group_count = 8;

/// A run of groups that are all zero; `begin == end` where there is none.
struct zero_run {
  std::size_t begin = 0;
  std::size_t end = 0;
};

void append_number(std::string& text, std::uint32_t number, int base = 10) {
  char digits[10];  // 4294967295
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number, base).ptr;
  text.append(digits, end);
}

void append_v4(std::string& text, std::span<const std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0) text += '.';
    append_number(text, bytes[i]);
  }
}

unsigned group_at(std::span<const std::uint8_t> bytes, std::size_t index) {
  return static_cast<unsigned>(bytes[2 * index] << 8 | bytes[2 * index + 1]);
}

/// What `::` stands for: the first of the longest runs, and never a single group (RFC 5952
/// section 4.2).
zero_run longest_zero_run(std::span<const std::uint8_t> bytes) {
  zero_run best;
  for (std::size_t i = 0; i < group_count; ++i) {
    zero_run run{i, i};
    while (run.end < group_count && group_at(bytes, run.end) == 0) ++run.end;
    if (run.end - run.begin > std::max<std::size_t>(best.end - best.begin, 1)) best = run;
    i = run.end;
  }
  return best;
}

void append_v6(std::string& text, std::span<const std::uint8_t> bytes) {
  const zero_run gap = longest_zero_run(bytes);
  for (std::size_t i = 0; i < group_count; ++i) {
    if (i == gap.begin && gap.begin != gap.end) {
      text += "::";
      i = gap.end;
      if (i == group_count) break;
    } else if (i != 0) {
      text += ':';
    }
    append_number(text, group_at(bytes, i), 16);
  }
}

/// Hashes the bytes that tell two addresses apart, all but padding.
std::size_t hash_of(const ip_address& address, std::uint16_t port) noexcept {
  std::array<char, 23> key{};
  const std::span<const std::uint8_t> bytes = address.bytes();
  auto at = std::copy(bytes.begin(), bytes.end(), key.begin());
  *at = static_cast<char>(bytes.size());
  const std::uint32_t scope_id = address.scope_id();
  for (std::size_t i = 0; i < 4; ++i) key[17 + i] = static_cast<char>(scope_id >> (8 * i) & 0xff);
  for (std::size_t i = 0; i < 2; ++i) key[21 + i] = static_cast<char>(port >> (8 * i) & 0xff);
  return std::hash<std::string_view>{}({key.data(), key.size()});
}

}  // namespace

std::string ip_address::to_string() const {
  std::string text;
  if (is_v4_mapped()) {
    text += "::ffff:";
    append_v4(text, bytes().last(4));
  } else if (is_v6()) {
    append_v6(text, bytes());
  } else {
    append_v4(text, bytes());
  }
  if (scope_id_ != 0) {
    text += '%';
    append_number(text, scope_id_);
  }
  return text;
}

std::string socket_address::to_string() const {
  std::string text = ip_.to_string();
  if (ip_.is_v6()) {
    text.insert(text.begin(), '[');
    text += ']';
  }
  text += ':';
  append_number(text, port_);
  return text;
}

}  // namespace cove::net

std::size_t std::hash<cove::net::ip_address>::operator()(
    const cove::net::ip_address& address) const noexcept {
  return cove::net::hash_of(address, 0);
}

std::size_t std::hash<cove::net::socket_address>::operator()(
    const cove::net::socket_address& address) const noexcept {
  return cove::net::hash_of(address.ip(), address.port());
}
