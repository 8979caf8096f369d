#pragma once

#include <cove/runtime/detail/selectable_wait.hpp>

namespace cove {

class event;

namespace detail {

/// `co_await event.wait()`.
class [[nodiscard]] event_wait : public selectable_wait<event_wait> {
 public:
  explicit event_wait(event& which) noexcept
      : selectable_wait("wait for an event"), which_(&which) {}

  void await_resume() const { check_granted(); }

 private:
  friend class selectable_wait<event_wait>;

  spin_lock& lock() noexcept;
  bool take(granted_list& granted) noexcept;
  void link() noexcept;
  bool unlink(granted_list& granted) noexcept;

  event* which_;
};

}  // namespace detail

/// Something that has happened or not, for any number of tasks to wait for. It stays set until
/// somebody resets it.
///
///     cove::event ready;
///     ...
///     co_await ready.wait();   // elsewhere: ready.set();
///
/// Threads:  every function may be called by any thread, wait() by tasks.
/// Lifetime: must outlive its waiters. A task whose wait() ended may destroy it although set() has
///           not returned; one that only saw is_set() may not.
class event {
 public:
  explicit event(bool set = false) noexcept : set_(set) {}
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  /// Ends when the event is set; at once if it is. Who waited when it was set goes on, even if it
  /// was reset since.
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: ends the wait; the event is as before.
  detail::event_wait wait() noexcept { return detail::event_wait(*this); }

  /// It has happened: wakes all who wait. What was done before is seen by who waited.
  void set() noexcept;

  /// Who waits from now on waits for the next set().
  void reset() noexcept;

  /// Is it set at the moment?
  bool is_set() const noexcept;

 private:
  friend class detail::event_wait;

  mutable detail::spin_lock lock_;
  // Under lock_. While it is set nobody waits.
  bool set_;
  detail::wait_list waiting_;
};

}  // namespace cove
