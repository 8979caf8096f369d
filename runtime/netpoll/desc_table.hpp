#pragma once

#include "netpoll/poll_desc.hpp"

#include <cove/runtime/detail/atomic.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace cove::netpoll {

class backend;

/// The poll descriptors of a runtime: type-stable memory, found by index. Chunks are allocated as
/// they are needed and freed with the table; a recycled poll descriptor keeps its generation. A
/// handle may outlive its runtime (a listener made before it, say), so the table lives until the
/// runtime has retired it and the last poll descriptor was recycled.
class desc_table {
 public:
  /// `owner` names the runtime.
  explicit desc_table(std::string owner) : owner_(std::move(owner)) {}
  desc_table(const desc_table&) = delete;
  desc_table& operator=(const desc_table&) = delete;

  /// A fresh poll descriptor with a new generation, or nullptr without memory. Any thread.
  poll_desc* take() noexcept;

  /// Gives one back: nobody names it any more. Any thread. May be the end of the table.
  void recycle(poll_desc& desc) noexcept;

  /// The runtime: the backend that watches the descriptors, once it is there.
  void serve(backend& by) noexcept { backend_ = &by; }
  /// The backend is about to go: no descriptor is watched any more.
  void stop_serving() noexcept;
  /// The runtime ends. May be the end of the table.
  void retire() noexcept;
  /// Runs `f` while the backend and the scheduler behind it are held; not at all once they go.
  template <class F>
  void while_serving(F f) {
    const detail::spin_guard guard(lock_);
    if (backend_ != nullptr) f();
  }
  /// Stops watching a descriptor that is about to be closed. False if that takes until
  /// backend_settings::closed. Any thread.
  [[nodiscard]] bool unwatch(poll_desc& desc) noexcept;

  /// Any thread; `index` came from a poll descriptor of this table.
  poll_desc& at(std::uint32_t index) noexcept {
    // acquire: pairs with the release in take() that published the chunk.
    return chunks_[index / chunk_size].load(std::memory_order_acquire)[index % chunk_size];
  }

  const std::string& owner() const noexcept { return owner_; }

  /// All indices ever given are below this. Any thread.
  std::uint32_t end() noexcept {
    const detail::spin_guard guard(lock_);
    return chunk_count_ * chunk_size;
  }

  /// Poll descriptors in use. Any thread.
  std::size_t used() noexcept {
    const detail::spin_guard guard(lock_);
    return out_;
  }

 private:
  static constexpr std::uint32_t chunk_size = 256;
  static constexpr std::uint32_t chunks_max = 16384;  // Four million descriptors.

  ~desc_table();
  bool grow() noexcept;

  const std::string owner_;

  detail::atomic<poll_desc*> chunks_[chunks_max] = {};
  detail::spin_lock lock_;
  // Under lock_.
  backend* backend_ = nullptr;  ///< Set before anybody else has the table.
  unsigned inside_ = 0;         ///< Threads that are in its close().
  bool retired_ = false;
  std::size_t out_ = 0;  ///< Taken and not yet recycled.
  poll_desc* free_ = nullptr;
  std::uint32_t chunk_count_ = 0;
};

}  // namespace cove::netpoll
