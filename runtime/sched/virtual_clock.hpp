#pragma once

#include <cove/runtime/detail/idle_wait.hpp>
#include <cove/runtime/detail/task_ctl.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>

// Virtual time: the clock of a runtime under test.
//
// The problem. A test of a service that waits must neither wait as long nor depend on how busy the
// machine is. So time stands still while anything can go on, and jumps when nothing can: a program
// that computes takes no time at all, and one that sleeps takes exactly what it asked for.
//
// Designs rejected. A clock that the test moves by hand: it has to know how often the code under
// test waits, and whoever moves it past two timers loses the order between them. A clock that runs
// faster: it is as late as the machine is busy. A clock that stands while any task waits for the
// network, as Go's does: then no limit on the network can be tested.
//
// There is one worker and no sysmon, so "nothing can go on" is known by the one thread that looks
// for work. When it comes to sit in the poller's place (scheduler::pass_virtual_time)
//   1. it reads what was announced from outside: how much, and how often that changed
//   2. it asks the network and looks at the queues: what is there runs, and time stands
//   3. something was announced or taken back since 1: it begins anew, as 2 may have used up the
//      wake-up; something is announced: it waits in the kernel, in real time
//   4. tasks wait for just this (test::until_idle): they go on
//   5. a timer is set: now is its moment. Those set for the same moment fire in their order, and
//      what they wake runs until nothing can, before time goes on.
//   6. nothing will ever happen by itself: the thread in test::run is told, unless something was
//      announced since 1, and the worker waits in the kernel
// What was announced has put its work into a queue before it is taken back, and both are told under
// the lock: who reads "nothing" in 1 finds that work in 2.
//
// The thread in test::run waits for step 6 before it starts anything, and announces what it does
// meanwhile. So each run begins alike, and a report of "nothing left" is never older than what that
// thread did last.

namespace cove::netpoll {
class backend;
}

namespace cove::sched {

/// Counted, because whoever announces something may end after the runtime.
class virtual_clock {
 public:
  /// Where time begins: a year after the clock's epoch, so that a moment that was never set looks
  /// long past.
  static constexpr std::int64_t start_ns = 365LL * 24 * 3600 * 1'000'000'000;

  /// Time passes for `limit_ns` at most.
  explicit virtual_clock(std::int64_t limit_ns) noexcept : limit_ns_(limit_ns) {}
  virtual_clock(const virtual_clock&) = delete;
  virtual_clock& operator=(const virtual_clock&) = delete;

  // Any thread.
  void retain() noexcept;
  void release() noexcept;
  /// Somebody outside will bring work: time stands until it is taken back.
  void begin_external() noexcept;
  void end_external() noexcept;

  // The worker, and tasks.
  std::int64_t now_ns() const noexcept { return now_ns_; }
  /// The tasks in test::until_idle.
  detail::idle_list& waiting_for_idle() noexcept { return waiting_for_idle_; }

  // The worker.
  struct announced {
    unsigned outstanding;
    std::uint64_t changes;
  };
  announced look() noexcept;
  /// To `when_ns`, unless that is never or beyond the limit.
  bool jump(std::int64_t when_ns) noexcept;
  void report_quiet(const announced& seen) noexcept;
  /// The last task has ended, after the runtime was asked to stop.
  void report_ended() noexcept;

  // The runtime.
  void attach(netpoll::backend& poller) noexcept;
  void detach() noexcept;

  // The thread in test::run.
  enum class state : std::uint8_t { busy, quiet, ended };
  /// Waits until it is not busy.
  state wait();
  /// While it is quiet: has the limit stopped it? It may go on for as long again.
  bool take_limit() noexcept;

 private:
  ~virtual_clock() = default;
  void wake_poller() noexcept;

  // The worker.
  std::int64_t now_ns_ = start_ns;
  detail::idle_list waiting_for_idle_;

  std::mutex lock_;
  std::condition_variable told_;
  // Under lock_.
  std::int64_t from_ns_ = start_ns;  ///< The limit counts from here.
  const std::int64_t limit_ns_;
  bool beyond_limit_ = false;
  unsigned outstanding_ = 0;
  std::uint64_t changes_ = 0;
  state state_ = state::busy;
  netpoll::backend* poller_ = nullptr;
  unsigned holders_ = 1;
};

}  // namespace cove::sched
