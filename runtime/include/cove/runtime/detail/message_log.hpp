#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/pooled.hpp>
#include <cove/runtime/detail/selectable_wait.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

// What broadcast and watch are made of: the last messages that were published, by number.
//
// A reader is a number: that of the next message it wants. The log knows no readers, only those who
// wait, so readers come, go and are copied for nothing, and a slow one holds up nobody: what it did
// not read in time is gone, and the numbers say how much that was.
//
// A message is counted: by the log, and by who is reading it. Under the lock only pointers change
// hands; values are made, copied and destroyed outside of it. So a copy may throw.
//
//   read     a message of that number or a later one is there: the oldest of these
//            closed: nothing
//            else     waits
//   publish  replaces the oldest message; who waits is granted, with the new one
//   close    who waits is granted, with nothing

namespace cove::detail {

/// A published value, without its type.
struct message : pooled {
  explicit message(void (*end)(message&) noexcept) noexcept : destroy(end) {}

  atomic<std::uint32_t> holders{1};
  void (*destroy)(message&) noexcept;
};

/// Holds a message, or none.
class message_ref {
 public:
  message_ref() noexcept = default;
  /// Takes over the first holding.
  explicit message_ref(message* made) noexcept : what_(made) {}
  message_ref(const message_ref& other) noexcept : what_(other.what_) {
    if (what_ != nullptr) what_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  message_ref(message_ref&& other) noexcept : what_(std::exchange(other.what_, nullptr)) {}
  message_ref& operator=(message_ref other) noexcept {
    std::swap(what_, other.what_);
    return *this;
  }
  ~message_ref() {
    // acq_rel: the last holder destroys what the others have read.
    if (what_ != nullptr && what_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1)
      what_->destroy(*what_);
  }

  message* get() const noexcept { return what_; }

 private:
  message* what_ = nullptr;
};

/// A message with its value.
template <class T>
struct message_of final : message {
  explicit message_of(T&& from) noexcept(std::is_nothrow_move_constructible_v<T>)
      : message([](message& self) noexcept { delete static_cast<message_of*>(&self); }),
        value(std::move(from)) {}

  static const T& in(const message_ref& ref) noexcept {
    return static_cast<const message_of*>(ref.get())->value;
  }

  const T value;
};

/// What a reader gets: a message and its number; none where nothing more will come.
struct reading {
  message_ref what;
  std::uint64_t number = 0;
};

class message_log;

/// Someone who reads the message `*from`, or a later one.
class log_wait : public selectable_wait<log_wait> {
 public:
  log_wait(message_log& on, const std::uint64_t* from, const char* verb) noexcept
      : selectable_wait(verb), on_(&on), from_(from) {}
  /// Before its start only.
  log_wait(log_wait&& other) noexcept
      : selectable_wait(static_cast<selectable_wait&&>(other)),
        on_(other.on_),
        from_(other.from_) {}

 protected:
  reading found_;  ///< Whoever grants it, or its own attempt.

 private:
  friend class message_log;
  friend class selectable_wait<log_wait>;

  spin_lock& lock() noexcept;
  bool take(granted_list& granted) noexcept;
  void link() noexcept;
  bool unlink(granted_list& granted) noexcept;

  message_log* on_;
  const std::uint64_t* from_;
};

/// Threads: any.
class message_log {
 public:
  /// Keeps the last `capacity` messages, at least one. Throws std::bad_alloc.
  explicit message_log(std::size_t capacity);
  message_log(const message_log&) = delete;
  message_log& operator=(const message_log&) = delete;
  ~message_log();

  /// Throws error with errc::closed once it is closed.
  void publish(message_ref fresh);
  void close() noexcept;
  bool closed() const noexcept;

  /// The number that the next message will have; the first has 0.
  std::uint64_t end() const noexcept;
  /// The oldest message from `from` on; none if there is none yet.
  reading read(std::uint64_t from) const noexcept;
  /// The last message; none if there never was one.
  reading last() const noexcept;

 private:
  friend class log_wait;

  reading find(std::uint64_t from) const noexcept;  // Under lock_.

  // Constant after construction.
  const std::size_t capacity_;
  message_ref* const ring_;

  mutable spin_lock lock_;
  // Under lock_, as is what is in the ring: message n at n % capacity_.
  bool closed_ = false;
  std::uint64_t end_ = 0;
  wait_list waiting_;
};

}  // namespace cove::detail
