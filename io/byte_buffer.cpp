#include <cove/io/detail/byte_buffer.hpp>

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/detail/buffer_cache.hpp>

#include <cstring>
#include <new>

namespace cove::io::detail {

using cove::detail::borrowed_bytes;

namespace {

/// A block of borrowed_bytes comes from the cache of buffers, a larger one from the system.
std::byte* allocate(std::size_t size) {
  if (size != borrowed_bytes) return static_cast<std::byte*>(::operator new(size));
  void* block = cove::detail::borrow_buffer();
  if (block == nullptr) throw std::bad_alloc();
  return static_cast<std::byte*>(block);
}

void deallocate(std::byte* block, std::size_t size) noexcept {
  if (size == borrowed_bytes)
    cove::detail::return_buffer(block);
  else
    ::operator delete(block);
}

}  // namespace

byte_buffer::byte_buffer(byte_buffer&& other) noexcept
    : lent_(std::move(other.lent_)),
      own_(std::exchange(other.own_, nullptr)),
      own_size_(std::exchange(other.own_size_, 0)),
      first_(std::exchange(other.first_, 0)),
      last_(std::exchange(other.last_, 0)) {}

byte_buffer& byte_buffer::operator=(byte_buffer&& other) noexcept {
  if (this == &other) return *this;
  free_own();
  lent_ = std::move(other.lent_);
  own_ = std::exchange(other.own_, nullptr);
  own_size_ = std::exchange(other.own_size_, 0);
  first_ = std::exchange(other.first_, 0);
  last_ = std::exchange(other.last_, 0);
  return *this;
}

void byte_buffer::free_own() noexcept {
  if (own_ != nullptr) deallocate(std::exchange(own_, nullptr), own_size_);
  own_size_ = 0;
}

void byte_buffer::consume(std::size_t count) noexcept {
  COVE_CHECK(count <= size(), "more bytes were consumed than are buffered");
  first_ += count;
}

void byte_buffer::release() noexcept {
  if (!empty()) return;
  free_own();
  lent_ = lease();
  first_ = last_ = 0;
}

void byte_buffer::adopt(lease received) noexcept {
  COVE_CHECK(empty(), "two tasks received into one buffer");
  release();
  lent_ = std::move(received);
  last_ = lent_.size();
}

std::span<std::byte> byte_buffer::prepare(std::size_t more) {
  if (empty()) first_ = last_ = 0;
  const std::size_t kept = size();
  if (own_ != nullptr && own_size_ - last_ >= more) return {own_ + last_, own_size_ - last_};
  if (own_ != nullptr && own_size_ - kept >= more && first_ >= own_size_ / 2) {
    // Half of it was used: moving the rest pays for itself.
    std::memmove(own_, own_ + first_, kept);
  } else {
    std::size_t size = own_ != nullptr ? own_size_ * 2 : borrowed_bytes;
    while (size - kept < more) size *= 2;
    std::byte* larger = allocate(size);
    if (kept != 0) std::memcpy(larger, base() + first_, kept);
    free_own();
    lent_ = lease();
    own_ = larger;
    own_size_ = size;
  }
  first_ = 0;
  last_ = kept;
  return {own_ + last_, own_size_ - last_};
}

void byte_buffer::commit(std::size_t count) noexcept {
  COVE_CHECK(own_ != nullptr, "bytes were received into no buffer");
  COVE_CHECK(count <= own_size_ - last_, "a stream read more than there was room for");
  last_ += count;
}

}  // namespace cove::io::detail
