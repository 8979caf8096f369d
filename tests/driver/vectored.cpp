#include "vectored.hpp"

namespace cove::driver {
namespace {

std::size_t total_of(const std::vector<std::size_t>& lengths) {
  std::size_t total = 0;
  for (const std::size_t length : lengths)
    if (__builtin_add_overflow(total, length, &total)) throw std::bad_alloc();
  return total;
}

template <class Buffer, class Byte>
std::span<const Buffer> cut(std::vector<Buffer>& parts, std::span<Byte> whole,
                            const std::vector<std::size_t>& lengths) {
  parts.clear();
  for (const std::size_t length : lengths) {
    parts.emplace_back(whole.first(length));
    whole = whole.subspan(length);
  }
  return parts;
}

}  // namespace

receive_vector::receive_vector(call& c) : lengths_(c.asked.sizes("lens")) {
  receipt(c.asked.flag("data")).put_into(c.members);
  room_.resize(total_of(lengths_));
}

std::span<const io::mutable_buffer> receive_vector::parts() {
  return cut(parts_, std::span<std::byte>(room_), lengths_);
}

void receive_vector::tell(call& c, std::size_t n) const {
  receipt received(c.asked.flag("data"));
  received.add(std::span(room_).first(n));
  received.put_into(c.members);
}

send_vector::send_vector(const request& asked, std::string_view offset)
    : lengths_(asked.sizes("lens")),
      data_(pattern(static_cast<std::uint64_t>(asked.number_or("seed", 1, INT64_MIN)),
                    static_cast<std::uint64_t>(asked.number_or(offset, 0)), total_of(lengths_))) {}

std::span<const io::const_buffer> send_vector::parts() {
  return cut(parts_, std::span<const std::byte>(data_), lengths_);
}

}  // namespace cove::driver
