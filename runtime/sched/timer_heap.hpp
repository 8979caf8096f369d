#pragma once

// The timers of a P: a 4-ary heap under a spin lock.
//
// Wheels are faster (3 ns against 11 to 20 for an insertion and its cancellation) but round to a
// tick and need the same lock, since a timer is often cancelled by a thread that is not the one
// that armed it; that lock costs about as much as the heap does. A lock-free timer state machine
// (Go before 1.23, ten states) bought bugs and was taken out again. Entries hold deadline and order
// by value, so that sifting reads the heap alone and touches nodes only to tell them their index.
//
// Removal is eager: a node lives in a coroutine frame, and nothing keeps a cancelled timer's frame
// alive until a lazy heap would get round to it. fire runs under the lock, which makes remove() a
// barrier: once it has returned, fire is not running and will not run.
//
// A timer never moves to another heap while armed, whoever expires it: a P without an owner keeps
// its timers, and other workers call expire on it with a sink of their own. So the heap that a node
// names under that heap's lock is the right one, and no two heaps are ever locked together.
//
// earliest() is read without the lock by workers that look for due timers and by the poller that
// decides how long to sleep. An inserter that got true looks for a poller that sleeps longer; the
// poller announces its sleep and then reads earliest(). Each side writes and then reads what the
// other wrote, so each puts a seq_cst fence in between: neither the lock nor the value orders them.

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/spin_lock.hpp>
#include <cove/runtime/detail/timer_node.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace cove::sched {

/// Times are nanoseconds on the runtime's clock. Timers with equal deadlines fire in the order in
/// which they were armed.
/// Threads: any, for every function but reinsert.
class timer_heap {
 public:
  /// The deadline that no clock reaches; what earliest() says of an empty heap.
  static constexpr std::int64_t never() noexcept {
    return std::numeric_limits<std::int64_t>::max();
  }

  /// The id is what nodes name the heap by: unique in the runtime, below 2^32 - 1.
  explicit timer_heap(std::uint32_t id) noexcept : tag_(id + 1) {}
  /// Every timer was removed or has fired.
  ~timer_heap();
  timer_heap(const timer_heap&) = delete;
  timer_heap& operator=(const timer_heap&) = delete;

  std::uint32_t id() const noexcept { return tag_ - 1; }

  /// Arms a node that is in no heap. True if earliest() moved to this deadline: a sleeping poller
  /// may have to be told.
  /// Errors: std::bad_alloc where the heap cannot grow; then nothing has changed.
  [[nodiscard]] bool insert(detail::timer_node& node, std::int64_t when_ns);

  /// Takes a node out. True if it was armed and will not fire; false if it has fired or was not
  /// armed.
  /// On return its fire is not running, in either case.
  bool remove(detail::timer_node& node) noexcept;

  /// Fires what is due at now_ns, earliest first, at most `limit` timers; returns how many. Holds
  /// the lock throughout, so a caller with more to do calls again when it got `limit`.
  unsigned expire(std::int64_t now_ns, void* sink, unsigned limit) noexcept;

  /// The end of the runtime: takes every node out; none fires any more.
  void clear() noexcept;

  /// Arms a node anew from inside its own fire, for a deadline that had moved on meanwhile. Takes
  /// the place the node just left, so it cannot fail. A deadline that is due fires in the same
  /// expire.
  void reinsert(detail::timer_node& node, std::int64_t when_ns) noexcept;

  /// The next deadline, or never(). A hint: it may have changed before it is used.
  std::int64_t earliest() const noexcept { return earliest_ns_.load(std::memory_order_relaxed); }

  /// How many timers are armed.
  std::size_t size() const noexcept;

 private:
  struct entry {
    std::int64_t when_ns;
    std::uint64_t sequence;
    detail::timer_node* node;

    bool before(const entry& other) const noexcept {
      return when_ns != other.when_ns ? when_ns < other.when_ns : sequence < other.sequence;
    }
  };

  void add(detail::timer_node& node, std::int64_t when_ns);
  void erase(std::size_t index) noexcept;
  void place(std::size_t index, const entry& moved) noexcept;
  void sift_up(std::size_t hole, const entry& moved) noexcept;
  void sift_down(std::size_t hole, const entry& moved) noexcept;
  void publish_earliest() noexcept;
  void shrink() noexcept;

  // Constant after construction: id + 1, which is what nodes hold.
  const std::uint32_t tag_;

  // Under lock_.
  mutable detail::spin_lock lock_;
  std::uint64_t next_sequence_ = 0;
  std::vector<entry> entries_;

  // The first entry's deadline, or never(). Written under lock_; relaxed, since whoever acts on it
  // takes the lock or fences as told above.
  detail::atomic<std::int64_t> earliest_ns_{never()};
};

}  // namespace cove::sched
