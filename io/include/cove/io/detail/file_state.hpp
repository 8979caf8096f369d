#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/suspend.hpp>

#include <cstdint>
#include <string>
#include <system_error>

// An open file as its handle and the operations on it share it. They come and go on any thread; the
// number is given back to the system once, when the last operation has left after the handle let go
// or somebody closed. Closing a file may wait for a disk (the last name of it may be gone), so it
// is done on the pool wherever there is a task.
//
//   word_   closed   1   nobody enters any more                    drop(), begin_close(), release()
//           closing  2   a close() sees to the end; it counts as an operation        begin_close()
//           gone     4   the handle has let go                                             drop()
//           cursor   8   an operation uses the cursor                            enter(), leave()
//           count   16   each: an operation                                      enter(), leave()
//
// Who ends what, once `closed` is set (each step is one read-modify-write, so one thread sees it):
//   closing, count falls to one       that one is close(): it is woken, closes and leaves
//   not closing, count is zero        whoever sees that closes the number (not after release())
//   gone, count is zero               whoever sees that deletes the state
//
// Orders: acq_rel, so that whoever closes or deletes comes after all that others did with it.

namespace cove::io::detail {

struct close_waiter {
  cove::detail::task_ctl* task = nullptr;
};

class file_state {
 public:
  struct traits {
    bool reads = false;
    bool writes = false;
    bool appends = false;
    bool direct = false;
  };

  file_state(int number, traits chosen, std::string&& path) noexcept
      : fd(number), can(chosen), name(std::move(path)), always_waits(chosen.direct) {}
  file_state(const file_state&) = delete;
  file_state& operator=(const file_state&) = delete;

  enum class entry : std::uint8_t { entered, closed, busy };
  /// An operation comes; only one at a time may use the cursor.
  entry enter(bool uses_cursor) noexcept {
    // relaxed: a first guess for the exchange below.
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      if ((word & closed) != 0) return entry::closed;
      if (uses_cursor && (word & cursor) != 0) return entry::busy;
      if (word_.compare_exchange_weak(word, word + one + (uses_cursor ? cursor : 0),
                                      std::memory_order_acquire, std::memory_order_relaxed))
        return entry::entered;
    }
  }
  /// It leaves: its last access.
  void leave(bool used_cursor) noexcept {
    const std::uint32_t less = one + (used_cursor ? cursor : 0);
    const std::uint32_t now = word_.fetch_sub(less, std::memory_order_acq_rel) - less;
    if ((now & closed) != 0) left_closed(now);
  }
  bool is_closed() const noexcept { return (word_.load(std::memory_order_acquire) & closed) != 0; }

  enum class closing_now : std::uint8_t { yes, waits, closed_before };
  /// `waits`: the task of `waiter` is completed when the last operation has left.
  closing_now begin_close(close_waiter& waiter) noexcept;
  /// What begin_close() began has ended: its last access.
  void end_close() noexcept;

  /// The handle lets go. Operations go on; the last one closes.
  void drop() noexcept;
  /// The number is the caller's again; -1 if operations are under way or it is closed.
  int release() noexcept;

  /// For people: the path in quotes, or `descriptor 5`.
  std::string describe() const;

  // Constant after construction.
  const int fd;
  const traits can;
  const std::string name;  ///< The path; empty for adopted numbers.

  // Any thread; relaxed: a hint.
  /// The file system cannot say "not without waiting", or the page cache is not asked at all.
  cove::detail::atomic<bool> always_waits;

 private:
  static constexpr std::uint32_t closed = 1;
  static constexpr std::uint32_t closing = 2;
  static constexpr std::uint32_t gone = 4;
  static constexpr std::uint32_t cursor = 8;
  static constexpr std::uint32_t one = 16;

  ~file_state() = default;
  void left_closed(std::uint32_t now) noexcept;

  cove::detail::atomic<std::uint32_t> word_{0};
  /// Whoever came first to close; set before `closing`.
  cove::detail::atomic<close_waiter*> closer_{nullptr};
};

/// Closes a number without holding up a worker: by a task of its own where a task calls this, else
/// here.
void close_later(int fd) noexcept;

}  // namespace cove::io::detail
