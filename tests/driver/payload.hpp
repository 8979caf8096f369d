#pragma once

#include "request.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cove::driver {

using bytes = std::vector<std::byte>;

/// CRC-32 as zlib's, in parts: `before` is what the bytes ahead of these gave, 0 for none.
std::uint32_t crc32(std::span<const std::byte> data, std::uint32_t before = 0) noexcept;
/// Eight lower-case digits.
std::string crc_text(std::uint32_t crc);

std::string to_hex(std::span<const std::byte> data);
/// A bad request that names `name` if it is no hex.
bytes from_hex(std::string_view digits, std::string_view name);

/// The bytes `offset` to `offset + count - 1` of the endless pattern that `seed` makes.
bytes pattern(std::uint64_t seed, std::uint64_t offset, std::size_t count);

/// What a request wants to send: `count` with `seed` and `off`, or `hex`, or `text`. `offset`: how
/// this verb calls `off`.
bytes payload_of(const request& asked, std::string_view offset = "off");

/// Where a request receives: `size` bytes and a guard behind them, filled beforehand so that one
/// can see later who wrote where he should not have.
class receive_buffer {
 public:
  explicit receive_buffer(std::size_t size);

  std::span<std::byte> room() noexcept { return std::span(memory_).first(size_); }
  std::span<const std::byte> front(std::size_t n) const noexcept {
    return std::span(memory_).first(n);
  }
  /// How many bytes behind the first `received` are not as they were.
  std::size_t dirty_behind(std::size_t received) const noexcept;

 private:
  std::size_t size_;
  bytes memory_;
};

/// What was received, as a reply tells it: the count, the checksum, and the bytes if they are few
/// or asked for.
class receipt {
 public:
  explicit receipt(bool keep_all) noexcept : keep_all_(keep_all) {}

  void add(std::span<const std::byte> data);
  std::uint64_t count() const noexcept { return count_; }
  void put_into(json& reply) const;

 private:
  static constexpr std::size_t few = 256;

  bool keep_all_;
  std::uint64_t count_ = 0;
  std::uint32_t crc_ = 0;
  bytes kept_;
};

}  // namespace cove::driver
