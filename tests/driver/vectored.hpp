#pragma once

#include "call.hpp"

namespace cove::driver {

/// The buffers `lens` of a request, one behind the other in memory.
///
/// Lifetime: what `parts()` gives refers to it.
class receive_vector {
 public:
  explicit receive_vector(call& c);

  std::span<const io::mutable_buffer> parts();
  std::size_t size() const noexcept { return room_.size(); }
  /// That the first `n` bytes were received.
  void tell(call& c, std::size_t n) const;

 private:
  std::vector<std::size_t> lengths_;
  bytes room_;
  std::vector<io::mutable_buffer> parts_;
};

/// Consecutive bytes of a pattern, cut into `lens`. `offset`: the member that says where in the
/// pattern they begin.
///
/// Lifetime: as receive_vector.
class send_vector {
 public:
  send_vector(const request& asked, std::string_view offset);

  std::span<const io::const_buffer> parts();
  std::size_t size() const noexcept { return data_.size(); }

 private:
  std::vector<std::size_t> lengths_;
  bytes data_;
  std::vector<io::const_buffer> parts_;
};

}  // namespace cove::driver
