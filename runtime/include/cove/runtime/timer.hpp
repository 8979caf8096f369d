#pragma once

#include <cove/runtime/detail/timed_wait.hpp>
#include <cove/runtime/time.hpp>

// A moment that can be set, moved and taken back, and those who wait for it.
//
//   unset  -> set      expires_at()
//   set    -> set      expires_at() before the moment: moved
//   set    -> fired    the clock has reached the moment, and somebody looks
//   set    -> unset    cancel() before the moment
//   fired  -> set      expires_at()
//
// Whether a moment has come is a question to the clock, asked under lock_ by whoever looks first: a
// waiter whose own timer (detail/timed_wait.hpp) woke it, or the one who wants to move or cancel.
// So every setting ends in one way, and all who waited for it are told the same; the timers in the
// heaps only see to it that somebody looks.

namespace cove {

class timer;

namespace detail {

/// `co_await timer.wait()`.
class [[nodiscard]] timer_wait : public timed_wait {
 public:
  explicit timer_wait(timer& of) noexcept;
  /// Before its start only.
  timer_wait(timer_wait&& other) noexcept : timer_wait(*other.of_) {}

  bool await_resume() const {
    check_ended();
    return fired_;
  }
  /// Gives a result, and does not throw what stopped it.
  auto as_result() && noexcept { return result_of<timer_wait>(std::move(*this)); }

 private:
  friend class cove::timer;

  static timer_wait& of(timed_wait& self) noexcept { return static_cast<timer_wait&>(self); }
  static bool look(timed_wait& self, std::int64_t now_ns, roused& owed) noexcept;

  static const timed_type kind;

  timer* of_;
  bool fired_ = false;  // Under the timer's lock.
};

}  // namespace detail

/// A moment to wait for that can be moved and called off while it is waited for.
///
///     cove::timer idle;
///     idle.expires_after(30s);
///     ...
///     bool fired = co_await idle.wait();    // in one task
///     idle.expires_after(30s);              // in another: something came, wait longer
///
/// Each setting ends in exactly one way: it fires when cove::clock reaches its moment, it is moved
/// by a new one, or it is cancelled before. Waits stay through moves. A timer that has fired stays
/// so until it is set again. To sleep take this_task::sleep_for, to limit an await with_timeout.
///
/// Threads:  every function may be called by any thread, wait() by tasks, also by several at once.
///           The clock is that of the caller: with virtual time set it inside its runtime.
/// Lifetime: must outlive those who wait. Nothing is set in the runtime while nobody waits.
class timer {
 public:
  /// Not set.
  timer() noexcept = default;
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  /// Sets or moves the moment; one that has passed fires at once. True if that moved a setting that
  /// had not fired; otherwise who had waited for the old one is told that it fired.
  bool expires_at(clock::time_point when) noexcept { return set(when.time_since_epoch().count()); }

  /// The same for a moment from now on.
  /// Units: any std::chrono duration; beyond 292 years it never fires.
  template <class Rep, class Period>
  bool expires_after(std::chrono::duration<Rep, Period> time) noexcept {
    return set(detail::moment_after(detail::saturated_ns(time)));
  }

  /// Takes the setting back, and ends the waits. True if it had not fired and now never will. False
  /// if it had, or was not set: nothing changes.
  bool cancel() noexcept;

  /// Waits until the timer fires (true) or is cancelled (false). At once where it has fired
  /// already, or is not set.
  ///
  /// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
  /// Cancellation: ends this wait alone; the timer stays as it is.
  [[nodiscard]] detail::timer_wait wait() noexcept { return detail::timer_wait(*this); }

  /// Is it set, and its moment still to come?
  bool is_pending() const noexcept;
  /// The moment it was set to; clock::time_point::max() if it is not set.
  clock::time_point expiry() const noexcept;

 private:
  friend class detail::timer_wait;

  enum class state : std::uint8_t { unset, set, fired };

  bool set(std::int64_t when_ns) noexcept;
  // Under lock_.
  void settle(std::int64_t now_ns, detail::roused& owed) noexcept;
  void end_waits(bool fired, detail::roused& owed) noexcept;
  void call_sleepers(detail::roused& owed) noexcept;

  mutable detail::spin_lock lock_;
  // Under lock_.
  state state_ = state::unset;
  std::int64_t when_ns_ = detail::never_ns;
  detail::wait_list waiting_;
};

}  // namespace cove
