#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/selectable_wait.hpp>

#include <cstddef>
#include <new>
#include <system_error>
#include <utility>

// A channel without the type of what goes through it: after Go's chan. A lock, a ring of slots, the
// senders that wait and the receivers that wait; no allocation after the ring's.
//
// Every sender and receiver has a slot in its own frame (or on its thread's stack). An element is
// relocated, moved and its source destroyed, from slot to slot:
//
//   send     closed: told so, and keeps its element
//            a receiver waits:     own slot -> its slot, it is granted
//            the ring has room:    own slot -> ring
//            else                  waits among the senders
//   receive  the ring has some:    ring -> own slot; and from a sender that waits:
//                                  its slot -> ring, it is granted
//            a sender waits:       its slot -> own slot, it is granted         (a rendezvous)
//            closed: told so
//            else                  waits among the receivers
//   close    all who wait are granted, and told so; what is in the ring stays to be received
//
// So always: receivers wait only while ring and senders are empty; senders wait only while the ring
// is full and no receiver waits; nobody waits once it is closed. (But one select may wait on both
// sides, and one that was granted elsewhere may stand there a moment longer, to be passed over.)
// The element of a sender that waits is its own until it is granted; so a cancelled sender takes
// its element with it, and a receiver that is cancelled after it was granted has an element and
// succeeds (wait_list.hpp).
//
// All is under the lock but `hints_`, which is written under it and read without. It saves the lock
// where there is nothing to gain: a wait that has to begin takes the lock once, in begin(), which
// decides. relaxed: who heard of a send by other means reads its hint or a later one.

namespace cove::detail {

/// What a channel has to know of its elements.
struct element_type {
  std::size_t size;
  std::size_t alignment;
  /// Makes one at `to` from the one at `from`, and destroys that.
  void (*relocate)(void* to, void* from) noexcept;
  void (*destroy)(void* at) noexcept;
};

template <class T>
inline constexpr element_type element_of{sizeof(T), alignof(T),
                                         [](void* to, void* from) noexcept {
                                           T& source = *static_cast<T*>(from);
                                           ::new (to) T(static_cast<T&&>(source));
                                           source.~T();
                                         },
                                         [](void* at) noexcept { static_cast<T*>(at)->~T(); }};

/// Room for one element. Whoever has it knows whether one is there.
template <class T>
union element_slot {
  element_slot() noexcept {}
  explicit element_slot(T&& from) noexcept : value(std::move(from)) {}
  ~element_slot() {}

  T value;
};

class channel_core;

/// Someone who sends or receives one element: a task that awaits this, or a thread.
class channel_wait : public selectable_wait<channel_wait> {
 public:
  enum class side : std::uint8_t { sends, receives };

  /// Not while it waits.
  channel_wait(channel_wait&&) = delete;

  /// The element has left the slot of a sender, or is in that of a receiver.
  bool moved() const noexcept { return outcome_ == outcome::moved; }
  /// Why nothing was moved; operation_would_block if only nobody was there. Zero if it was.
  std::error_code error() const noexcept;

  /// Without waiting; error() tells how it ended.
  void try_once() noexcept { static_cast<void>(try_now()); }

 protected:
  channel_wait(channel_core& on, side which, void* slot, const char* verb) noexcept
      : selectable_wait(verb), on_(&on), slot_(slot), side_(which) {}
  /// Before its start only.
  channel_wait(channel_wait&& other, void* slot) noexcept
      : selectable_wait(static_cast<selectable_wait&&>(other)),
        on_(other.on_),
        slot_(slot),
        side_(other.side_) {}
  ~channel_wait() = default;

  /// Sender: throws unless its element was moved.
  void check_sent() const {
    if (!moved()) throw_not_sent();
  }

 private:
  friend class channel_core;
  friend class wait_awaiter<channel_wait>;
  friend class selectable_wait<channel_wait>;

  enum class outcome : std::uint8_t { none, moved, closed };

  bool try_now() noexcept;
  bool begin() noexcept;

  spin_lock& lock() noexcept;
  bool take(granted_list& granted) noexcept;
  void link() noexcept;
  bool unlink(granted_list& granted) noexcept;
  [[noreturn]] void throw_not_sent() const;

  channel_core* on_;
  void* slot_;
  side side_;
  outcome outcome_ = outcome::none;  ///< Whoever grants it, or its own attempt.
};

/// Memory for `count` elements. Throws std::bad_alloc.
class slot_array {
 public:
  slot_array(const element_type& element, std::size_t count);
  slot_array(const slot_array&) = delete;
  slot_array& operator=(const slot_array&) = delete;
  ~slot_array();

  void* data() const noexcept { return first_; }

 private:
  void* first_ = nullptr;
  std::size_t alignment_;
};

class channel_core {
 public:
  /// The ring has `capacity` slots at `ring`, which it does not own.
  channel_core(const element_type& element, void* ring, std::size_t capacity) noexcept;
  channel_core(const channel_core&) = delete;
  channel_core& operator=(const channel_core&) = delete;
  /// Destroys what is in the ring.
  ~channel_core();

  void close() noexcept;
  bool closed() const noexcept;
  bool ended() const noexcept;
  std::size_t size() const noexcept;
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  friend class channel_wait;

  /// True: `who` has its outcome. False: there was none to be had; it waits now if it `stays`.
  bool attempt(channel_wait& who, bool stays) noexcept;
  bool may_succeed(channel_wait::side which) const noexcept;

  // Under lock_.
  bool take(channel_wait& who, waiter*& partner) noexcept;
  void link(channel_wait& who) noexcept;
  bool unlink(channel_wait& who) noexcept;
  bool send(channel_wait& sender, waiter*& partner) noexcept;
  bool receive(channel_wait& receiver, waiter*& partner) noexcept;
  void hand_over(channel_wait& from, channel_wait& to) noexcept;
  void push(channel_wait& from) noexcept;
  void pop(channel_wait& to) noexcept;
  void* slot(std::size_t index) const noexcept;
  wait_list& those_like(const channel_wait& who) noexcept;
  void note_hints() noexcept;

  // Constant after construction.
  const element_type& element_;
  std::byte* const ring_;
  const std::size_t capacity_;

  /// Bit for bit who would succeed now: `sender` | `receiver`.
  atomic<std::uint8_t> hints_;
  static constexpr std::uint8_t sender = 1;
  static constexpr std::uint8_t receiver = 2;

  mutable spin_lock lock_;
  // Under lock_.
  bool closed_ = false;
  std::size_t first_ = 0;  ///< The oldest in the ring.
  std::size_t count_ = 0;
  wait_list senders_;
  wait_list receivers_;
};

}  // namespace cove::detail
