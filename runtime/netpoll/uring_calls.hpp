#pragma once

#include <cove/runtime/detail/ring_call.hpp>

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

// The calls about files that a ring has: any number at once, each in a slot of its own.
//
//   slot     free -> listed         arm()
//            listed -> handed       next(): its entry is in the submission queue
//            listed -> free         withdraw() before that: the kernel never sees it
//            handed -> free         its completion
//            handed -> listed       it was broken off unasked and goes round again
//   asked    withdraw() of a handed one sets it and lists the slot once more, for a cancel. One is
//            enough: the kernel takes entries in order, so it finds the call, or the call is at the
//            disk and ends soon. Nobody wants to know what the cancel gave.
//
// The kernel is given the slot and its sequence, as for records (uring_record.hpp). The sequence
// grows with each call that ends, so a cancel that comes late finds nothing.

namespace cove::netpoll {

/// Threads: all under the lock of the lane, but for grow().
class uring_calls {
 public:
  /// Is there a slot for one more? Else grow() makes some.
  bool has_room() const noexcept { return free_ != nullptr; }

  struct chunk;
  /// Slots to be added under the lock; null without memory. No lock is needed.
  static std::unique_ptr<chunk> grow() noexcept;
  /// False without memory.
  bool add(std::unique_ptr<chunk> more) noexcept;

  /// Takes a slot and lists it.
  void arm(detail::ring_call& call) noexcept;

  enum class withdrawn : std::uint8_t { taken_back, listed, nothing };
  /// `nothing`: it was asked for before, or has ended.
  withdrawn withdraw(detail::ring_call& call) noexcept;

  bool none_listed() const noexcept { return first_ == nullptr; }
  /// Takes the first listed one off the list and makes its entry.
  void next(io_uring_sqe& entry) noexcept;

  /// What an entry has come to. Gives the call that has ended; null if none has, and sets `listed`
  /// if it is to go round again.
  detail::ring_call* absorb(const io_uring_cqe& said, bool& listed) noexcept;

  uring_calls() noexcept = default;
  ~uring_calls();
  uring_calls(const uring_calls&) = delete;
  uring_calls& operator=(const uring_calls&) = delete;

 private:
  struct slot {
    detail::ring_call* call = nullptr;
    slot* next = nullptr;  ///< Of the free ones, or of those listed.
    std::uint32_t number = 0;
    std::uint32_t sequence = 0;
    bool listed = false;
    bool handed = false;
    bool asked = false;
  };

  void list(slot& which) noexcept;
  void unlist(slot& which) noexcept;
  slot& at(std::uint32_t number) noexcept;

  std::vector<std::unique_ptr<chunk>> chunks_;
  slot* free_ = nullptr;
  slot* first_ = nullptr;
  slot* last_ = nullptr;
};

inline constexpr std::uint32_t slots_each = 64;

struct uring_calls::chunk {
  slot slots[slots_each];
};

}  // namespace cove::netpoll
