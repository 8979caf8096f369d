#pragma once

#include "sched/loan_policy.hpp"
#include "sched/parker.hpp"
#include "sched/processor.hpp"
#include "sched/tenure.hpp"
#include "sched/thread_clock.hpp"

#include <coroutine>
#include <thread>

namespace cove::sched {

class scheduler;
class virtual_clock;

/// What sysmon thinks of a thread that stays with a task: nothing yet, or what it does there.
enum class verdict : std::uint8_t { wait, blocked, computes };

/// M: a worker thread.
struct machine {
  machine(scheduler& s, std::uint32_t number) noexcept
      : owner(s), random(number * 2654435761u + 1) {}

  // The worker's own thread, and sysmon by the rules of tenure. In front, which saves every entry
  // an instruction (bench/entry_cost).
  tenure presence;
  processor* p = nullptr;

  scheduler& owner;
  std::thread thread;
  parker sleep;
  const virtual_clock* clock = nullptr;  ///< Null: time is real. Constant once it runs.

  // Set by its own thread before it first leaves the runtime.
  thread_clock cpu;
  int system_number = 0;  ///< The system's.

  // The worker's own thread.
  bool spinning = false;
  bool lent = false;  ///< Its last processor's, when it found nothing more to do.
  loan_policy loan;
  std::uint32_t random;
  processor* last = nullptr;             ///< What it held when user code began: for the way back.
  std::coroutine_handle<> bounce;        ///< Resume this from the loop, on a fresh stack.
  detail::task_ctl* first = nullptr;     ///< Runs before anything else; see run_before().
  detail::task_ctl* finished = nullptr;  ///< The root that has just come to its end.
  std::uint64_t next_id = 0;             ///< Task ids handed out in blocks.
  std::uint64_t last_id = 0;

  // The worker writes, sysmon reads.
  std::atomic<std::uint64_t> turns{0};  ///< Times that it went into user code.
  /// The task it runs. Null before it gives the task away: sysmon may ask it for its name.
  std::atomic<detail::task_ctl*> current{nullptr};
  std::atomic<unsigned> blocking_scopes{0};  ///< Depth of those it is in.

  // Set by whoever wakes it, before the parker's token.
  processor* granted = nullptr;

  // Under the scheduler's lock.
  machine* next_idle = nullptr;
  bool lost = false;  ///< Its processor was taken, and it has not come for another yet.

  // Sysmon: what it saw when it last looked.
  struct {
    processor* p = nullptr;
    std::uint64_t turns = 0;
    std::int64_t since_ns = 0;      ///< When it first saw this turn.
    std::int64_t cpu_ns = -1;       ///< The thread's CPU time when last asked; -1: not asked yet.
    std::int64_t asked_ns = 0;      ///< When that was.
    verdict found = verdict::wait;  ///< What came of it.
    bool told = false;              ///< The stall was reported.
  } seen;

  /// Its own thread, inside of the runtime.
  void hold(processor& which) noexcept {
    p = &which;
    last = &which;
    which.holder.store(this, std::memory_order_release);  // pairs with sysmon's acquire.
  }

  std::uint32_t draw() noexcept {  // xorshift32
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    return random;
  }
};

/// The worker that this thread is, or nullptr. Never kept across a suspension: a task may go on in
/// another thread. Out of line, so that no compiler keeps the thread-local's address either.
machine* this_machine() noexcept;
void set_this_machine(machine* m) noexcept;

}  // namespace cove::sched
