#pragma once

#include <cove/io/lease.hpp>

#include <cstddef>
#include <span>

namespace cove::io::detail {

/// Bytes that were received, or are to be sent: a lease that came in one piece, or memory of its
/// own, once more is wanted in one piece than a lease has.
///
/// Bytes that were consumed stay where they are until the next adopt(), prepare() or release(), for
/// whoever was given a view of them; an empty buffer that was released holds no memory.
class byte_buffer {
 public:
  byte_buffer() noexcept = default;
  byte_buffer(byte_buffer&& other) noexcept;
  byte_buffer& operator=(byte_buffer&& other) noexcept;
  ~byte_buffer() { free_own(); }

  /// The bytes that were not consumed, in one piece.
  std::span<std::byte> bytes() const noexcept { return {base() + first_, last_ - first_}; }
  std::size_t size() const noexcept { return last_ - first_; }
  bool empty() const noexcept { return first_ == last_; }

  /// The first `count` bytes are done with; at most size(), which is checked.
  void consume(std::size_t count) noexcept;
  /// Gives the memory back, if it is empty.
  void release() noexcept;
  /// Takes over what was received; only if it is empty, which is checked.
  void adopt(lease received) noexcept;
  /// Room for at least `more` bytes behind those that are there. Throws std::bad_alloc.
  std::span<std::byte> prepare(std::size_t more);
  /// The first `count` bytes of that room were filled; at most as many as it has, which is checked:
  /// it is what a stream says, and that may be a user's.
  void commit(std::size_t count) noexcept;

 private:
  std::byte* base() const noexcept { return own_ != nullptr ? own_ : lent_.data(); }
  std::size_t room() const noexcept { return own_ != nullptr ? own_size_ : lent_.size(); }
  void free_own() noexcept;

  lease lent_;
  std::byte* own_ = nullptr;
  std::size_t own_size_ = 0;
  std::size_t first_ = 0;
  std::size_t last_ = 0;
};

}  // namespace cove::io::detail
