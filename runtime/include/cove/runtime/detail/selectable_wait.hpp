#pragma once

#include <cove/runtime/detail/wait_list.hpp>

// A wait that may also be one case of a select. A plain wait takes the lock of its primitive, tries
// and links itself; a select holds the locks of all its cases while it does that for each of them.
// So the steps are apart from the lock here, and from waking those who were granted something.

namespace cove::detail {

/// The steps of one kind of wait, for who does not know its type. All but try_now() are called
/// under lock().
struct select_moves {
  /// Takes what it wants, if it can be had at once.
  bool (*try_now)(waiter& who) noexcept;
  spin_lock& (*lock)(waiter& who) noexcept;
  /// As try_now(); the caller wakes whom it granted something.
  bool (*take)(waiter& who, granted_list& granted) noexcept;
  /// fresh -> waiting.
  void (*link)(waiter& who) noexcept;
  /// waiting -> fresh. False if it does not wait: it was granted, or passed over.
  bool (*unlink)(waiter& who, granted_list& granted) noexcept;
};

/// `Self` has lock(), take(granted), link() and unlink(granted), as above.
template <class Self>
class selectable_wait : public wait_awaiter<Self> {
  static Self& of(waiter& who) noexcept { return static_cast<Self&>(who); }

 public:
  static constexpr select_moves as_case{
      [](waiter& who) noexcept { return of(who).try_now(); },
      [](waiter& who) noexcept -> spin_lock& { return of(who).lock(); },
      [](waiter& who, granted_list& granted) noexcept { return of(who).take(granted); },
      [](waiter& who) noexcept { of(who).link(); },
      [](waiter& who, granted_list& granted) noexcept { return of(who).unlink(granted); }};

 protected:
  using wait_awaiter<Self>::wait_awaiter;
  selectable_wait(selectable_wait&&) noexcept = default;
  ~selectable_wait() = default;

 private:
  friend class wait_awaiter<Self>;

  // What wait_awaiter asks for, of the steps; a Self that can do better has its own.
  bool try_now() noexcept { return attempt(false); }
  bool begin() noexcept { return attempt(true); }
  bool give_up() noexcept {
    granted_list granted;
    {
      const spin_guard guard(of(*this).lock());
      if (!of(*this).unlink(granted)) return false;
    }
    granted.wake();
    return true;
  }

  bool attempt(bool stays) noexcept {
    granted_list granted;
    bool taken = false;
    {
      const spin_guard guard(of(*this).lock());
      taken = of(*this).take(granted);
      if (!taken && stays) of(*this).link();
    }
    // Of this nothing more: if it waits, it may have been woken already.
    granted.wake();
    return taken;
  }
};

}  // namespace cove::detail
