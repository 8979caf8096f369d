#pragma once

#include "netpoll/backend.hpp"
#include "netpoll/desc_table.hpp"
#include "sched/arrivals.hpp"
#include "sched/global_queue.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "sched/seat_policy.hpp"
#include "sched/spin_policy.hpp"
#include "sched/stall.hpp"
#include "sched/virtual_clock.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

// Who runs next.
//
// The problem. P processors hold run queues; M worker threads each need a processor to run tasks.
// Work arrives from tasks, from other threads, from timers and from the network. A worker with
// nothing to do must sleep (idle means idle), and whoever brings work must wake one, but only if
// nobody is awake who would find it: a wake-up costs more than most work is worth.
//
// Designs rejected. One shared queue: its lock is on every path. Waking a worker for each task:
// bursts wake everybody and most find nothing. Handing work to a given sleeper: the task moves to
// a cold cache although its waker is about to be idle.
//
// The design is Go's. Some workers spin: they hold a processor, have nothing to run and look for
// work (at most half as many as are busy). Bringing work wakes a worker only if a processor is idle
// and nobody spins. The two protocols that make this sound:
//
//   Worker parking/unparking
//   bring work                              stop looking
//     1. put it on a queue                    1. release the processor, spinning - 1
//     2. full fence                           2. full fence
//     3. read idle and spinning               3. read every queue once more
//        wake one if idle > 0, spinning = 0      take a processor back if there is any work
//
// Each side writes, fences, then reads what the other writes, so at least one sees the other: the
// bringer a worker that no longer spins, or the worker the work. Acquire and release would let both
// read the old value. A spinner that finds work stops spinning by the same steps (decrement, fence,
// read every queue; wake one if there is more): the last spinner replaces itself.
//
//   The last step into sleep
// A worker commits to sleep under the lock, where it becomes the poller (if nobody is) or an idle
// machine. A waker decides under the same lock: hand a processor to an idle machine; else wake the
// poller through the netpoll; else start a thread; else somebody is between "released" and
// "committed", and `need_search_` makes that one look again. So no wake-up falls between two steps.
//
// A task that is woken by another and finds the next slot empty is an exception: it is kept for the
// worker that is about to run it, while tasks are short (next_policy.hpp). Bringing it wakes nobody
// and "every queue" is without it.
//
// A worker that comes out of the poller with work, or because it was sent for, goes on as a
// spinner, so the same step continues the chain. It also leaves a seat behind. If tasks have been
// long lately it wakes somebody to take that; if they are short, as a rule, it will be back before
// anybody could be there, and sysmon sees to the exception (seat_policy.hpp).
//
// A worker that blocks in user code loses its processor to another one (tenure.hpp, oversee.cpp).
// It is then a thread too many, and when it comes back sleeps like the others. It leaves the
// poller's seat to those who have just used a processor: with all of them busy, each event would
// wake it for nothing.
//
// The network is polled by a worker that goes idle (one waits in the kernel for all, without a
// processor), every 61 ticks by a busy worker, and by sysmon when nobody did for 10 ms. Nothing is
// correct only thanks to sysmon.
//
// Tasks that threads outside bring, among them those whose calls on the pool have ended, come
// through a list without a lock (arrivals.hpp). Workers move it into the global queue when they
// look there, under the lock, so what stands above knows it as a part of that.
//
// A sleep and a wake-up across threads cost tens of microseconds, so who waits in the kernel first
// polls for a while if there was traffic (spin_policy.hpp), and who gave a job to the pool first
// waits awake, at its parker or in the poller's seat, if such jobs came back soon
// (loan_policy.hpp). To the protocols that is a thread that is slow to fall asleep.
//
// Orders: queues publish their tasks by release and acquire of their own; the fences and seq_cst
// accesses here only decide who is woken, never what is read from a task.

namespace cove::sched {

/// What a scheduler is built with.
struct settings {
  unsigned workers = 1;  ///< Processors.
  unsigned active = 0;   ///< So many of them run tasks at once, at first; 0: all.
  /// How many may by now: asked by sysmon about once a second. Null: as many as at first.
  unsigned (*cpus)(void* context) noexcept = nullptr;
  void* cpus_context = nullptr;
  bool spin = true;  ///< Stay awake for a bounded time before a sleep, where that pays.
  bool sysmon = true;
  unsigned ring_slots = 256;
  unsigned extra_threads = 256;                ///< Beyond one for each processor, for hand-offs.
  unsigned entry_without_p = 0;                ///< Tests: 1 in n entries yields no processor.
  bool retake_at_once = false;                 ///< Tests: sysmon takes each processor it can.
  virtual_clock* clock = nullptr;              ///< Null: time is real.
  netpoll::desc_table* descriptors = nullptr;  ///< Virtual time: whose traffic comes first.
  std::int64_t stall_after_ns = 0;             ///< 0: stalls are not looked for.
  void (*stalled)(void* context, const stall& what) noexcept = nullptr;  ///< Called by sysmon.
  /// Called by sysmon: a thread blocks, and there is no other one for its processor. The system may
  /// have refused to start one.
  void (*short_of_threads)(void* context, unsigned threads, bool refused) noexcept = nullptr;
  void* stalled_context = nullptr;
};

/// Where a task that may go on is put.
enum class placement : std::uint8_t {
  next,  ///< Runs next on this worker: it was woken by the task that runs now.
  tail,  ///< Behind what is there.
};

class scheduler {
 public:
  scheduler(const settings& chosen, std::unique_ptr<netpoll::backend> poller);
  ~scheduler();
  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;

  /// Any thread: a task that the caller owns may go on.
  void ready(detail::task_ctl& task, placement where) noexcept;
  /// As ready(), for the holder of `p`.
  void ready_on(processor& p, detail::task_ctl& task, placement where) noexcept;
  /// Any thread: the same for a list, behind what is there.
  void ready_all(detail::task_list& tasks) noexcept;
  /// The task that runs has spent its budget: it goes behind all that is runnable here, the network
  /// included.
  void give_way(processor& p, detail::task_ctl& task) noexcept;
  /// The task that runs gives way: it goes behind all that is runnable here.
  void requeue(processor* p, detail::task_ctl& task) noexcept;
  /// Any thread: through the global queue, for a task that needs a worker with a processor.
  void inject(detail::task_ctl& task) noexcept;

  /// Holder of `p`: a timer was set that fires earlier than all others of this processor.
  void timer_moved_earlier(std::int64_t when_ns) noexcept;

  /// A task id, handed out in blocks to workers.
  std::uint64_t new_task_id(machine* m) noexcept;

  /// Ends the workers. All tasks have ended.
  void shut_down() noexcept;

  /// sysmon, oversee.cpp: takes processors from threads that block, lets others have what lies
  /// behind a long task, and hands in what was armed before it. True if some thread is in a section
  /// that it said would block.
  bool oversee() noexcept;
  /// sysmon: so many processors may run tasks from now on, at least one. The others are benched: in
  /// no list, and nobody's.
  void set_active(unsigned count) noexcept;
  unsigned active() noexcept;
  /// Has every processor too many been given up? Any thread.
  bool settled() const noexcept { return !too_many_.load(std::memory_order_relaxed); }
  /// sysmon: is some thread in user code, in which a stall may yet be found?
  bool unsettled() const noexcept { return unsettled_; }
  /// sysmon: since the last call nobody polled, nobody waits in the poller, and there is something
  /// to wait for.
  bool network_neglected() noexcept;
  /// sysmon: sends a worker to the poller, or polls in the workers' place if all are busy.
  void mend_neglect() noexcept;
  bool all_idle() const noexcept {
    return idle_.load(std::memory_order_relaxed) == in_use_.load(std::memory_order_relaxed);
  }
  /// sysmon: about to sleep until there is work again; false if there is some already.
  bool sysmon_may_sleep() noexcept;
  parker& sysmon_parker() noexcept { return sysmon_sleep_; }

  const struct settings& settings() const noexcept { return settings_; }
  netpoll::backend& poller() noexcept { return *poller_backend_; }
  std::vector<std::unique_ptr<processor>>& processors() noexcept { return processors_; }
  std::uint64_t polls() const noexcept { return polls_.load(std::memory_order_relaxed); }
  unsigned threads() noexcept;
  /// Threads without a processor of their own, by no choice of theirs.
  unsigned threads_lost() noexcept;
  std::uint64_t stalls() const noexcept { return stalls_.load(std::memory_order_relaxed); }
  std::uint64_t hand_offs_missed() const noexcept {
    return hand_offs_missed_.load(std::memory_order_relaxed);
  }
  std::uint64_t hand_offs() const noexcept { return hand_offs_.load(std::memory_order_relaxed); }
  /// A worker in user code is about to block: somebody else may have its processor at once.
  void hand_on_mine(machine& m) noexcept;
  std::size_t queued_globally() const noexcept {
    return global_count_.load(std::memory_order_relaxed);
  }

 private:
  class visit;
  void run_worker(machine& m) noexcept;

  // find_work.cpp: the order in which a worker with a processor looks for work.
  detail::task_ctl* find_work(machine& m) noexcept;
  detail::task_ctl* find_local(processor& p) noexcept;
  detail::task_ctl* take_in_turn(processor& p) noexcept;
  detail::task_ctl* find_elsewhere(machine& m) noexcept;
  detail::task_ctl* steal(machine& m) noexcept;
  detail::task_ctl* take_global(processor& p, std::size_t most) noexcept;
  bool run_timers(processor& into, processor& of) noexcept;
  bool run_all_timers(processor& into) noexcept;
  bool poll_now(processor& p) noexcept;
  bool flush(processor& p) noexcept;
  void found_while_spinning(machine& m) noexcept;
  void start_spinning(machine& m) noexcept;
  bool any_work() noexcept;
  void publish_global_count() noexcept;
  void take_arrivals() noexcept;
  /// Is there something for all workers?
  bool any_global() const noexcept {
    return global_count_.load(std::memory_order_relaxed) != 0 || !arrivals_.empty();
  }
  void keep(processor& p, detail::task_list& tasks) noexcept;
  void push(processor& p, detail::task_ctl& task) noexcept;

  /// For who holds a processor: is there no other worker? Another one starts only when somebody has
  /// taken this processor, or was given one that was idle, and both of that the holder sees.
  bool alone() const noexcept { return started_.load(std::memory_order_relaxed) <= 1; }

  // oversee.cpp: a worker that blocks loses its processor.
  struct survey {
    std::int64_t ns = 0;
    unsigned stuck = 0;  ///< Processors whose task has not changed for long.
    bool annotated = false;
    bool share = false;
    bool retaken = false;
    machine* computing = nullptr;  ///< One that has such a processor and uses it.
  };
  void note_machines() noexcept;
  void look_at(machine& m, survey& now) noexcept;
  verdict judge(machine& m, bool scoped, std::int64_t now) noexcept;
  void tell_stall(machine& m, std::int64_t now) noexcept;
  bool worth_handing_on(processor& p, std::int64_t now) noexcept;
  bool anything_to_poll_for() noexcept;
  bool hand_on(processor& p, machine& m) noexcept;
  void give_up(processor& p, machine& m) noexcept;  // Under lock_.
  bool anybody_for_a_processor() noexcept;
  bool all_threads_block() noexcept;

  // sleep.cpp: into sleep and out of it.
  bool sleep(machine& m) noexcept;
  bool wait_for_network(machine& m) noexcept;
  bool wait_awake(machine& m, std::int64_t until, std::int64_t& now,
                  detail::task_list& came) noexcept;
  std::int64_t wait_in_kernel(machine& m, detail::task_list& came) noexcept;
  void wait_for_token(machine& m) noexcept;
  void wake_one() noexcept;
  void start_machine(processor* p, bool spinning);
  bool step_down(machine& m) noexcept;

  // Under lock_.
  void bench(processor& p) noexcept;
  bool may_start_machine(std::size_t lost) const noexcept;
  void release_idle(processor& p) noexcept;
  processor* take_idle(processor* wanted = nullptr) noexcept;
  bool take_idle(machine& m) noexcept;
  std::int64_t earliest_timer() noexcept;

  // virtual_clock.cpp: the poller's seat under virtual time.
  void pass_virtual_time(detail::task_list& came) noexcept;
  void ask_network(detail::task_list& came) noexcept;
  bool bytes_in_transit() noexcept;

  // Constant after construction.
  const struct settings settings_;
  std::unique_ptr<netpoll::backend> poller_backend_;
  const bool batches_;  ///< The backend may keep what is armed until it is flushed.
  std::vector<std::unique_ptr<processor>> processors_;

  // Any thread.
  std::atomic<unsigned> idle_{0};      ///< Idle processors; changed under lock_.
  std::atomic<unsigned> spinning_{0};  ///< Workers that look for work.
  std::atomic<std::size_t> global_count_{0};
  arrivals<detail::task_ctl> arrivals_;  ///< On their way into the global queue.
  std::atomic<std::uint64_t> polls_{0};
  std::atomic<std::uint64_t> hand_offs_{0};
  std::atomic<unsigned> in_use_{0};    ///< Processors that are not benched; changed under lock_.
  std::atomic<bool> too_many_{false};  ///< More of them than may be; changed under lock_.
  std::atomic<std::uint64_t> hand_offs_missed_{0};
  std::atomic<bool> thread_refused_{false};  ///< By the system; sysmon tells.
  std::atomic<std::uint64_t> stalls_{0};
  std::atomic<unsigned> started_{0};  ///< Machines, for alone(); changed under lock_.
  std::atomic<std::uint64_t> next_task_id_{1};
  std::atomic<bool> polling_{false};  ///< Somebody is in a non-blocking poll.
  std::atomic<bool> waiting_{false};  ///< Somebody is the poller; changed under lock_.
  std::atomic<bool> exit_{false};     ///< Set under lock_.
  /// The poller's seat was left and should be taken; changed under lock_. The last spinner that
  /// finds work sends another as long as it is set.
  std::atomic<bool> seat_wanted_{false};
  /// Threads of others that are inside ready_all() or inject(): the scheduler waits for them before
  /// it goes, because what they brought may have run to its end before they are out.
  std::atomic<unsigned> visitors_{0};
  /// When the poller will return by itself; INT64_MIN while nobody waits.
  std::atomic<std::int64_t> poll_until_{INT64_MIN};

  std::mutex lock_;
  // Under lock_.
  global_queue global_;
  processor* idle_processors_ = nullptr;
  processor* benched_ = nullptr;
  unsigned active_ = 0;
  machine* idle_machines_ = nullptr;
  std::vector<std::unique_ptr<machine>> machines_;
  std::size_t lost_ = 0;  ///< Machines that are in user code without a processor.
  bool need_search_ = false;
  bool sysmon_asleep_ = false;

  // The poller: whoever sits there.
  spin_policy spin_;
  seat_policy seat_;

  parker sysmon_sleep_;
  // sysmon.
  std::uint64_t polls_seen_ = 0;
  std::vector<machine*> overseen_;  ///< As machines_ at the last look, for use without the lock.
  bool unsettled_ = false;
  bool short_of_threads_ = false;
};

}  // namespace cove::sched
