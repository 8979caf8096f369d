#pragma once

#include <cove/runtime/detail/selectable_wait.hpp>
#include <cove/runtime/detail/timer_node.hpp>

#include <cstddef>
#include <span>

// A select without the types of its cases: after Go's. A task waits in the lists of several
// primitives at once, and exactly one of them gives it what it waits for.
//
// Rejected: to link one case after the other, each under its own lock. A select would then be found
// in its first lists while it still looks at its last ones, so that a send of it which meets the
// receive of another select had to claim both at once, its own choice and the other's; two of them
// meeting crosswise need a third state, and retries. With all locks held nobody finds it before it
// is done with looking, and to meet another select is one claim, the other's.
//
//   1. try     each case by itself, from a random one on; the first that succeeds is it
//   2. lock    the primitives of all cases, in the order of the locks' addresses, each lock once.
//              Nobody else holds two of them, so two selects never wait for each other
//   3. take    again each, from a random one on: something may have come since 1
//   4. link    a waiter for each into its list, all with the same choice (wait_list.hpp)
//   5. unlock  all; set one timer, for the earliest of the moments. From 4 on anybody may claim the
//              choice, so the completion may be there before the task has parked
//   6. park
//   7. leave   on the worker, before the task goes on: the timer is taken out, the other waiters
//              are unlinked, each under its lock. So nobody finds a waiter of a select that is over
//
// The choice
//   null -> waiter   who grants it, under the lock of that waiter's list; then wakes, as ever
//   null -> timer    the timer, under its heap's lock; then wakes
//   null -> select   the select itself: it was asked to end, or has no memory for its timer
// Who claims first is the only one that completes the task. Where the select comes too late, the
// completion is on its way, and what was granted is honoured. Between a claim and 7 the others'
// lists still have waiters of this select; a granter finds them claimed and passes over them.
//
// Fairness: 1 and 3 begin at a random case and go around, so one that is always ready holds up no
// other for ever. Lists are in the order of coming, for a select as for others.

namespace cove::detail {

/// One case, as the core knows it.
struct select_case {
  waiter* who = nullptr;  ///< Null: a moment.
  const select_moves* moves = nullptr;
  std::int64_t due_ns = 0;  ///< The moment.
  std::size_t index = 0;    ///< Where it stands in the call.
};

class select_core : public awaitable_base, public operation, private timer_node {
 public:
  select_core(const select_core&) = delete;
  select_core& operator=(const select_core&) = delete;

  /// Step 1, for who does not wait: the case that succeeded, or null.
  static const select_case* try_each(std::span<select_case> cases) noexcept;

 protected:
  select_core() noexcept;
  /// Before its start only.
  select_core(select_core&&) noexcept : select_core() {}
  ~select_core() = default;

  /// For await_ready(). `cases` stay where they are until the await has ended.
  bool start(std::span<select_case> cases) noexcept;

  /// After the await: why it was broken off, if it was.
  stop_reason stopped() const noexcept { return stopped_; }
  /// Which case it was. Throws if none: it was broken off, or had no memory.
  std::size_t winner() const;

 private:
  static bool advance(operation& op, task_ctl& task, sched::processor& p) noexcept;
  static bool withdraw(operation& op, task_ctl& task, sched::processor& p) noexcept;
  static void refuse(operation& op, stop_reason why) noexcept;
  static void fire(timer_node& node, void* sink) noexcept;
  static const operation_type moves;

  bool begin(sched::processor& p) noexcept;
  bool set_earliest(sched::processor& p) noexcept;
  void link_all() noexcept;
  void leave(const void* but) noexcept;

  std::span<select_case> cases_;
  choice choice_;
  const select_case* won_ = nullptr;
  const select_case* earliest_ = nullptr;  ///< The case of the timer, if one is set.
  sched::processor* armed_on_ = nullptr;
  stop_reason stopped_ = stop_reason::none;
  bool out_of_memory_ = false;
};

}  // namespace cove::detail
