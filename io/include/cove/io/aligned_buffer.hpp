#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <utility>

namespace cove::io {

/// Bytes that begin at a multiple of a block, for files that were opened with
/// open_options::direct().
///
///     cove::io::aligned_buffer block(1 << 20);
///     std::size_t n = co_await disk.read_at(block.bytes(), offset);
///
/// Errors:   std::bad_alloc.
/// Threads:  as any container.
/// Units:    bytes. The alignment is a power of two; the default suits every usual disk.
class aligned_buffer {
 public:
  static constexpr std::size_t default_alignment = 4096;

  aligned_buffer() noexcept = default;
  explicit aligned_buffer(std::size_t size, std::size_t alignment = default_alignment)
      : data_(static_cast<std::byte*>(::operator new(size, std::align_val_t(alignment)))),
        size_(size),
        alignment_(alignment) {}
  aligned_buffer(aligned_buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        alignment_(other.alignment_) {}
  aligned_buffer& operator=(aligned_buffer other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(alignment_, other.alignment_);
    return *this;
  }
  ~aligned_buffer() { ::operator delete(data_, std::align_val_t(alignment_)); }

  /// All of it.
  std::span<std::byte> bytes() noexcept { return {data_, size_}; }
  /// The same, to be read.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::size_t size() const noexcept { return size_; }
  /// What its address is a multiple of.
  std::size_t alignment() const noexcept { return alignment_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t alignment_ = default_alignment;
};

}  // namespace cove::io
