#pragma once

#include <cove/runtime/detail/io_op.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace cove::io {

/// One of several buffers to read into.
///
/// Lifetime: refers to memory that must outlive the operation, as must the array of buffers.
class mutable_buffer : private cove::detail::io_vec {
 public:
  mutable_buffer(void* start, std::size_t bytes) noexcept : io_vec{start, bytes} {}
  mutable_buffer(std::span<std::byte> bytes) noexcept : io_vec{bytes.data(), bytes.size()} {}
  using io_vec::data;
  using io_vec::size;
};

/// One of several buffers to write.
///
/// Lifetime: as mutable_buffer.
class const_buffer : private cove::detail::io_vec {
 public:
  const_buffer(const void* start, std::size_t bytes) noexcept
      : io_vec{const_cast<void*>(start), bytes} {}  // Only ever read.
  const_buffer(std::span<const std::byte> bytes) noexcept
      : const_buffer(bytes.data(), bytes.size()) {}
  const_buffer(std::string_view text) noexcept : const_buffer(text.data(), text.size()) {}
  using io_vec::data;
  using io_vec::size;
};

/// The bytes of a text, for functions that take bytes.
inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace cove::io
