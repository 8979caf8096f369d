#pragma once

#include "netpoll/gate.hpp"

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/io_op.hpp>

#include <cstdint>
#include <memory>
#include <new>

namespace cove::netpoll {

class uring_lane;
struct uring_accepts;
struct uring_message;

/// One direction of a descriptor as a ring knows it: the operation that is with the kernel, of
/// which there is one at a time. Type-stable, like the poll descriptor that it belongs to.
///
/// The sequence is odd while an operation is armed, and grows with each that begins or ends. What
/// the kernel is given is number and sequence, never an address, so that a completion that comes
/// late is told from one that is awaited: its sequence is an old one.
struct uring_record {
  std::uint32_t number = 0;                   ///< Index of the poll descriptor, and the direction.
  detail::atomic<std::uint32_t> sequence{0};  ///< Written under the lane's lock; read by any.

  // The holder of the direction while it is not armed; whoever owns its task meanwhile.
  uring_lane* lane = nullptr;  ///< Where it is armed; with accepts, where they are for good.

  // Under the lane's lock while it is armed; else its holder's.
  detail::io_op* op = nullptr;
  uring_record* next = nullptr;  ///< In the lane's list of what is to be handed in.
  bool listed = false;
  bool asked = false;    ///< To end early.
  bool handed = false;   ///< The kernel has it.
  bool waiting = false;  ///< The kernel waits for readiness in its place.
  /// What a vectored transfer needs; made for the first one, gone with the descriptor.
  std::unique_ptr<uring_message> message;
  /// A listener's; made for the first accept, gone with the descriptor.
  std::unique_ptr<uring_accepts> accepts;

  ~uring_record();
};

/// The records of a runtime, found by number.
class uring_table {
 public:
  uring_table() = default;
  ~uring_table();
  uring_table(const uring_table&) = delete;
  uring_table& operator=(const uring_table&) = delete;

  /// Makes room for a poll descriptor. False without memory. Any thread.
  bool prepare(std::uint32_t index) noexcept;

  /// Any thread; `number` is below what was prepared.
  uring_record& at(std::uint32_t number) noexcept {
    // acquire: pairs with the release in prepare().
    return chunks_[number / chunk_size].load(std::memory_order_acquire)[number % chunk_size];
  }
  uring_record& at(std::uint32_t index, direction which) noexcept {
    return at(2 * index + static_cast<std::uint32_t>(which));
  }

 private:
  static constexpr std::uint32_t chunk_size = 512;
  static constexpr std::uint32_t chunks_max = 16384;  // As many as desc_table's.

  detail::atomic<uring_record*> chunks_[chunks_max] = {};
};

}  // namespace cove::netpoll
