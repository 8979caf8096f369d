#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/coroutine_templates.hpp>
#include <cove/runtime/detail/root.hpp>
#include <cove/runtime/detail/wait_list.hpp>

// Who runs a once has its turn, an object: it ends with finish(), or, on any other way out, with
// the next waiter's turn.
//
//   idle    -> running   somebody comes                                           under lock_
//   running -> running   the turn ends without success; the first waiter has it   under lock_
//   running -> idle      the same, and nobody waits                               under lock_
//   running -> done      finish(): all who wait go on                             under lock_
// `done` is also read without the lock: finish() releases what was made, and the reader acquires
// it. The one who finishes is itself inside a call, so nobody may destroy it meanwhile.

namespace cove {

class once;

namespace detail {

/// The duty to run a once; empty if it is done.
class [[nodiscard]] once_turn {
 public:
  explicit once_turn(once* of) noexcept : of_(of) {}
  once_turn(once_turn&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  inline ~once_turn();

  explicit operator bool() const noexcept { return of_ != nullptr; }
  inline void finish() noexcept;

 private:
  once* of_;
};

/// Waits for a turn, or until somebody has finished.
class [[nodiscard]] once_claim : public wait_awaiter<once_claim> {
 public:
  explicit once_claim(once& which) noexcept : wait_awaiter("wait for a once"), which_(&which) {}

  once_turn await_resume() {
    check_granted();
    return once_turn(has_turn_ ? which_ : nullptr);
  }

 private:
  friend class cove::once;
  friend class wait_awaiter<once_claim>;

  bool try_now() noexcept;
  bool begin() noexcept;
  bool give_up() noexcept;

  once* which_;
  bool has_turn_ = false;
};

}  // namespace detail

/// Something that is to be done once, by whoever comes first; the others wait for it.
///
///     cove::once connected;
///     ...
///     co_await connected.run(connect);   // connect: a coroutine, or what makes one
///
/// An attempt that fails or is cancelled is not it: the next one who waits tries.
///
/// Threads:  any number of tasks, on any workers.
/// Lifetime: must outlive all calls.
class once {
 public:
  constexpr once() noexcept = default;
  once(const once&) = delete;
  once& operator=(const once&) = delete;

  /// Runs `f()`, a task, if it was not yet done; ends when it is done.
  /// Errors:       what leaves `f()` goes to the one that ran it; canceled or deadline_exceeded.
  /// Cancellation: passes to `f()` in the one that runs it; ends the wait in the others.
  /// Lifetime:     `f` lives until the end; on GCC 12 name a lambda that captures by value before
  ///               you write it into a co_await expression.
  template <class F>
    requires detail::spawnable<F>
  task<> run(F f);

  /// Was it done? What it did is seen then.
  bool done() const noexcept {
    // acquire: pairs with the store in finish().
    return state_.load(std::memory_order_acquire) == state::done;
  }

 private:
  friend class detail::once_turn;
  friend class detail::once_claim;

  enum class state : std::uint8_t { idle, running, done };

  bool take(detail::once_claim& who) noexcept;  // Under lock_.
  void finish() noexcept;
  void pass_on() noexcept;

  detail::atomic<state> state_{state::idle};
  detail::spin_lock lock_;
  // Under lock_.
  detail::wait_list waiting_;
};

namespace detail {

inline once_turn::~once_turn() {
  if (of_ != nullptr) of_->pass_on();
}
inline void once_turn::finish() noexcept { std::exchange(of_, nullptr)->finish(); }

}  // namespace detail

COVE_COROUTINE_TEMPLATES_BEGIN
template <class F>
  requires detail::spawnable<F>
task<> once::run(F f) {
  detail::once_turn turn = co_await detail::once_claim(*this);
  if (!turn) co_return;
  co_await f();
  turn.finish();
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace cove
