#pragma once

#include <cove/runtime/detail/suspend.hpp>

namespace cove::detail {

/// Waits until nothing else can go on (test::until_idle).
///
///   fresh -> listed    the task waits; its runtime's clock knows it
///   listed -> woken    nothing else could go on
///   listed -> fresh    the task was asked to end
/// All of it happens on the one worker of a runtime under virtual time.
struct idle_wait : awaitable_base, operation {
  idle_wait() noexcept;
  /// Before its start only.
  idle_wait(idle_wait&&) noexcept : idle_wait() {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }
  void await_resume() const;

  enum class state : std::uint8_t { fresh, listed, woken };

  state phase = state::fresh;
  bool unsupported = false;  ///< Time is real here.
  stop_reason stopped = stop_reason::none;
  idle_wait* next = nullptr;
};

/// Those who wait, in the order in which they came.
class idle_list {
 public:
  void add(idle_wait& which) noexcept;
  bool remove(idle_wait& which) noexcept;
  /// Lets all of them go on; false if there are none. Those that can be scheduled are added to
  /// `woken`.
  bool wake_all(task_list& woken) noexcept;

 private:
  idle_wait* first_ = nullptr;
};

}  // namespace cove::detail
