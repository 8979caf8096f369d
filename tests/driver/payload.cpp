#include "payload.hpp"

#include <algorithm>
#include <array>

namespace cove::driver {
namespace {

constexpr std::size_t pattern_period = 65521;
constexpr std::size_t guard_size = 64;
constexpr std::byte guard_byte{0xa5};

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t n = 0; n < table.size(); ++n) {
    std::uint32_t rest = n;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0xedb88320U : 0);
    table[n] = rest;
  }
  return table;
}();

constexpr std::string_view digits_of_hex = "0123456789abcdef";

int digit_value(char digit) noexcept {
  if (digit >= 'A' && digit <= 'F') digit = static_cast<char>(digit - 'A' + 'a');
  const auto at = digits_of_hex.find(digit);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> data, std::uint32_t before) noexcept {
  std::uint32_t crc = ~before;
  for (const std::byte each : data)
    crc = crc_table[(crc ^ std::to_integer<std::uint32_t>(each)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::string crc_text(std::uint32_t crc) {
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += digits_of_hex[(crc >> shift) & 0xf];
  return text;
}

std::string to_hex(std::span<const std::byte> data) {
  std::string text;
  text.reserve(2 * data.size());
  for (const std::byte each : data) {
    const auto value = std::to_integer<unsigned>(each);
    text += digits_of_hex[value >> 4];
    text += digits_of_hex[value & 0xf];
  }
  return text;
}

bytes from_hex(std::string_view digits, std::string_view name) {
  bytes data(digits.size() / 2);
  bool good = digits.size() % 2 == 0;
  for (std::size_t i = 0; good && i < data.size(); ++i) {
    const int high = digit_value(digits[2 * i]);
    const int low = digit_value(digits[2 * i + 1]);
    good = high >= 0 && low >= 0;
    data[i] = static_cast<std::byte>(high * 16 + low);
  }
  if (!good) throw refusal::bad_request("\"" + std::string(name) + "\" has to be pairs of digits");
  return data;
}

bytes pattern(std::uint64_t seed, std::uint64_t offset, std::size_t count) {
  bytes table(pattern_period);
  for (std::byte& each : table) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    each = static_cast<std::byte>(seed >> 56);
  }
  bytes data(count);
  std::size_t at = offset % pattern_period;
  for (std::size_t done = 0; done < count; at = 0) {
    const std::size_t part = std::min(count - done, pattern_period - at);
    std::copy_n(table.begin() + static_cast<std::ptrdiff_t>(at), part,
                data.begin() + static_cast<std::ptrdiff_t>(done));
    done += part;
  }
  return data;
}

bytes payload_of(const request& asked, std::string_view offset) {
  if (asked.has("count") + asked.has("hex") + asked.has("text") != 1)
    throw refusal::bad_request("a payload is one of \"count\", \"hex\" and \"text\"");
  if (asked.has("count"))
    return pattern(static_cast<std::uint64_t>(asked.number_or("seed", 1, INT64_MIN)),
                   static_cast<std::uint64_t>(asked.number_or(offset, 0)),
                   static_cast<std::size_t>(asked.number("count")));
  for (const std::string_view with_count : {std::string_view("seed"), offset})
    if (asked.has(with_count))
      throw refusal::bad_request("\"" + std::string(with_count) + "\" belongs to \"count\"");
  if (asked.has("hex")) return from_hex(asked.text("hex"), "hex");
  const auto text = std::as_bytes(std::span(asked.text("text")));
  return {text.begin(), text.end()};
}

receive_buffer::receive_buffer(std::size_t size) : size_(size) {
  if (size > memory_.max_size() - guard_size) throw std::bad_alloc();
  memory_.assign(size + guard_size, guard_byte);
}

std::size_t receive_buffer::dirty_behind(std::size_t received) const noexcept {
  const auto behind = std::span(memory_).subspan(received);
  return behind.size() -
         static_cast<std::size_t>(std::count(behind.begin(), behind.end(), guard_byte));
}

void receipt::add(std::span<const std::byte> data) {
  crc_ = crc32(data, crc_);
  count_ += data.size();
  const std::size_t room = keep_all_ ? data.size() : few - kept_.size();
  const auto keep = data.first(std::min(room, data.size()));
  kept_.insert(kept_.end(), keep.begin(), keep.end());
}

void receipt::put_into(json& reply) const {
  reply["n"] = count_;
  reply["crc"] = crc_text(crc_);
  if (keep_all_ || count_ <= few) reply["data"] = to_hex(kept_);
}

}  // namespace cove::driver
