#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace cove::io {

/// Bytes that were received into a buffer of the runtime's. The buffer goes back when the lease
/// ends, so an idle connection holds none and a busy one reads into warm memory.
///
/// Threads:  may be used and dropped on any thread.
/// Lifetime: independent of stream and runtime. Keep it short: copy what you keep.
/// Units:    bytes.
class lease {
 public:
  /// An empty lease: the end of the stream.
  lease() noexcept = default;
  lease(lease&& other) noexcept
      : buffer_(std::exchange(other.buffer_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  lease& operator=(lease&& other) noexcept {
    if (this != &other) {
      give_back();
      buffer_ = std::exchange(other.buffer_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~lease() { give_back(); }

  /// The received bytes; yours to change while the lease lasts.
  std::span<std::byte> bytes() const noexcept { return {static_cast<std::byte*>(buffer_), size_}; }
  std::byte* data() const noexcept { return static_cast<std::byte*>(buffer_); }
  std::size_t size() const noexcept { return size_; }
  /// True at the end of the stream.
  bool empty() const noexcept { return size_ == 0; }

  /// Not for users: takes over a borrowed buffer.
  lease(void* buffer, std::size_t size) noexcept : buffer_(buffer), size_(size) {}

 private:
  void give_back() noexcept;

  void* buffer_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cove::io
