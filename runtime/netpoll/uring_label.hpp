#pragma once

#include <cstdint>

namespace cove::netpoll {

// What an entry is about, in its user data: tag : 3 | record : 29 | sequence : 32.
enum class tag : std::uint64_t {
  operation,
  cancel,  ///< Of the operation with this record and sequence.
  accept,  ///< A listener's request; it has no sequence.
  stop,    ///< The cancel of one.
  bell,
  nobody,  ///< Nobody wants to know.
  call,    ///< One about a file; the record is its slot in the lane.
};

inline constexpr unsigned tag_shift = 61;
inline constexpr std::uint64_t record_mask = (std::uint64_t{1} << 29) - 1;

constexpr std::uint64_t label(tag about, std::uint32_t record, std::uint32_t sequence) noexcept {
  return static_cast<std::uint64_t>(about) << tag_shift | static_cast<std::uint64_t>(record) << 32 |
         sequence;
}
constexpr tag tag_of(std::uint64_t label) noexcept { return static_cast<tag>(label >> tag_shift); }
constexpr std::uint32_t record_of(std::uint64_t label) noexcept {
  return static_cast<std::uint32_t>(label >> 32 & record_mask);
}
constexpr std::uint32_t sequence_of(std::uint64_t label) noexcept {
  return static_cast<std::uint32_t>(label);
}

}  // namespace cove::netpoll
