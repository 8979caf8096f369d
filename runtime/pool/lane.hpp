#pragma once

#include "pool/job_queue.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

// A lane of the pool: a queue of jobs, and threads of its own that run them.
//
// The problem. A call that blocks must not hold up a worker, so a thread is lent to it. Threads are
// dear: there is a limit to them, they are started only when there is work, and those that have
// none go after a while. A job that nobody wants any more must not run, if it has not begun; one
// that has begun cannot be stopped, and what it does must not be lost. How many threads are right,
// nobody knows before: a few of them are enough for calls that come back at once, and are all stuck
// where calls wait for a disk, a FIFO or a server.
//
// Designs rejected. A thread for each call: a burst of calls makes a burst of threads. A fixed
// number, as libuv has it: four stuck calls stop everything. To start threads by the length of the
// queue: a long queue of short calls is gone before the threads are there. To leave growth to
// sysmon or to a timer: both may be late, or not there. A queue without a lock: what is queued has
// to be taken out again from its middle, and a job that is worth a change of threads is not held up
// by a lock of a few instructions. Jobs on the heap, so that whoever waits may leave a running one
// behind: it may use what its caller has. So a job lives in the caller's frame, costs no
// allocation, and who waits for a running one waits to its end.
//
//   A job, and who owns it
// free    -> queued   submit(): the lane's                                  under lock_
// queued  -> free     take_back(): its submitter's again; it never runs     under lock_
// queued  -> running  a thread has taken it: that thread's alone            under lock_
// running -> free     hand_back(), which ends with somebody else as its owner
// So each job that was submitted is either taken back or handed back, once. After hand_back() the
// thread touches nothing of it: it may be gone with the frame that it was in.
//
//   The bound of the queue
// As the jobs bring their own memory, it is there for who waits, not for what it costs. The first
// `queue_max` jobs are in the queue and the others at its door, in one order and one list: when one
// leaves the queue, the first at the door is in it. Nobody is woken for that, and nothing can be
// lost on the way. A lane that refuses has no door: a job that finds the queue full is not
// taken, unless it is one that must be done, as the closing of a file.
//
//   A thread and its part, all under lock_
// none    -> worker   started to take a job
// none    -> scout    started to see whether the lane has to grow
// worker  -> asleep   it found no job
// asleep  -> worker, scout   called by a submitter, or by the scout before
// asleep  -> none     it was not called for `keep_ns`, or the lane ends
// scout   -> worker   the first job has waited for too long, or a worker was wanted
// scout   -> asleep   the queue is empty
// Those asleep are a stack: who slept last is called first, so the others get to their end.
//
//   Who runs a job
// A worker is coming if it was called, was started or has run a job, and has not looked at the
// queue since. submit() brings one more if fewer are coming than are queued, and if fewer than
// `allowed_` workers are there. Whoever looks first takes the first job, and who finds none sleeps.
// So no job waits while a thread sleeps that might run it:
//   queued <= coming, or workers = allowed
// and a submit takes one lock and wakes at most one thread. A task that makes one call after the
// other stays with one thread, which is coming before it hands a job back. If none can be started
// the job waits for those that are there; without any it is refused, so a queue without threads is
// empty.
//
//   The way back
// hand_back() completes the task's parking word. If the task is the thread's then, it goes to the
// scheduler's arrivals (sched/arrivals.hpp), which are the completion queue of all lanes: a list
// without a lock, with one wake-up for all that is in it, through the netpoller's bell.
//
//   Growth
// `allowed_` begins with `threads`. A submit that may bring no further worker, but could if the
// lane grew, brings a scout, if there is none. It waits until the job that is first by then has
// waited for `grow_after_ns`; then one worker more is allowed, it is that, and it brings the next
// scout if there are more jobs than workers coming. So a lane whose threads are stuck grows as fast
// as threads start, nothing else has to look after it, and a burst that is over in time costs one
// thread woken each `grow_after_ns`. As threads end, as many less are allowed.
//
//   The end
// All jobs have ended (the tasks that waited for them have). end() calls all threads; each finds
// the queue empty and leaves. What a thread has used, its seat, stays for the next one: so whoever
// called it may ring its bell without the lock, at the worst for nothing.
//
// Orders: the lock brings a job to its thread; what comes of it travels with hand_back(), in which
// the completion of a parking word releases it. Counters are relaxed. `coming_` alone decides
// something: a thread counts itself without the lock, after a job, and takes itself off under it. A
// submit that sees it counted holds the lock before it does, so its job is in the queue when it
// looks; one that does not see it brings a thread too many.
//
// Time is real here under virtual time, too: the limits are the machine's.

namespace cove::pool {

/// What a lane is built with.
struct lane_settings {
  const char* name = "";  ///< For its threads: at most five letters.
  unsigned threads = 1;
  unsigned threads_max = 1;
  std::size_t queue_max = 1;
  bool refuses = false;
  std::int64_t grow_after_ns = 0;
  std::int64_t keep_ns = 0;
};

/// What became of a job.
enum class admission : std::uint8_t {
  submitted,
  no_thread,  ///< There is none, and none can be started.
  full,       ///< The queue is, and the lane refuses.
};

/// What a lane is doing, at some moment during the call.
struct lane_counts {
  unsigned threads = 0;
  std::uint64_t threads_started = 0;
  std::size_t queued = 0;
  std::size_t at_door = 0;
  std::uint64_t running = 0;
  std::uint64_t finished = 0;
  std::uint64_t taken_back = 0;
  std::uint64_t refused = 0;
  std::int64_t waited_ns = 0;  ///< All that have begun, together.
  std::int64_t waited_most_ns = 0;
};

class lane {
 public:
  explicit lane(const lane_settings& chosen) noexcept
      : settings_(chosen), allowed_(chosen.threads) {}
  ~lane() { end(); }
  lane(const lane&) = delete;
  lane& operator=(const lane&) = delete;

  const lane_settings& settings() const noexcept { return settings_; }

  /// Any thread: lets a thread of the lane run it. It may have been handed back already when this
  /// returns. Unless it was submitted, nothing was done. One that is not refusable has the door of
  /// a full lane that refuses.
  [[nodiscard]] admission submit(job& which, bool refusable = true) noexcept;

  /// Whoever submitted it. True: it had not begun and never will. False: it runs or has run, and it
  /// will be handed back, or was.
  [[nodiscard]] bool take_back(job& which) noexcept;

  /// Ends the threads. Nothing is queued and nobody submits any more.
  void end() noexcept;

  /// Is a job running, at some moment during the call?
  bool runs() const noexcept { return running_.load(std::memory_order_relaxed) != 0; }

  lane_counts count() noexcept;

 private:
  enum class part : std::uint8_t { none, worker, scout, asleep };
  struct seat {
    part now = part::none;
    seat* below = nullptr;  ///< In asleep_ or free_.
    std::condition_variable bell;
    std::thread thread;
    std::thread before;  ///< The one that has left: the next one waits until it is gone.
  };

  void work(seat& mine, unsigned number) noexcept;

  // Under lock_.
  seat* bring() noexcept;
  void take_part(seat& one, part which) noexcept;
  seat* start_thread() noexcept;
  void begin(const job& which) noexcept;
  void run_next(seat& mine, std::unique_lock<std::mutex>& guard) noexcept;
  void look_out(seat& mine, std::unique_lock<std::mutex>& guard) noexcept;
  void doze(seat& mine, std::unique_lock<std::mutex>& guard) noexcept;
  void leave(seat& mine) noexcept;

  const lane_settings settings_;

  // Any thread.
  std::atomic<std::uint64_t> running_{0};
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<std::size_t> coming_{0};  ///< See "Who runs a job".

  std::mutex lock_;
  // Under lock_.
  job_queue queue_;
  std::deque<seat> seats_;
  seat* asleep_ = nullptr;
  seat* free_ = nullptr;  ///< Seats without a thread.
  seat* scout_ = nullptr;
  unsigned threads_ = 0;  ///< Seats that have one.
  unsigned workers_ = 0;
  unsigned allowed_;
  bool ending_ = false;
  lane_counts told_;  ///< What count() cannot find elsewhere.
};

}  // namespace cove::pool
