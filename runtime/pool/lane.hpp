#pragma once

#include "pool/job_queue.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

// A lane of the pool: a queue of jobs, and threads of its own that run them.
//
// The problem. A call that blocks must not hold up a worker, so a thread is lent to it. Threads are
// dear: there is a limit to them, they are started only when there is work, and those that have
// none must cost nothing. A job that nobody wants any more must not run, if it has not begun; one
// that has begun cannot be stopped, and what it does must not be lost.
//
// Designs rejected. A thread for each call: a burst of calls makes a burst of threads. A queue
// without a lock: what is queued has to be taken out again from its middle, and a job that is worth
// a change of threads is not held up by a lock of a few instructions. Jobs on the heap, so that
// whoever waits may leave a running one behind: it may use what its caller has. So a job lives in
// the caller's frame, costs no allocation, and who waits for a running one waits to its end.
//
// A job, and who owns it
//   free    -> queued   submit(): the lane's                                  under lock_
//   queued  -> free     take_back(): its submitter's again; it never runs     under lock_
//   queued  -> running  a thread has taken it: that thread's alone            under lock_
//   running -> free     hand_back(), which ends with somebody else as its owner
// So each job that was submitted is either taken back or handed back, once. After hand_back() the
// thread touches nothing of it: it may be gone with the frame that it was in.
//
// Who runs it. A thread is coming if it was called, was started or has run a job, and has not
// looked at the queue since. submit() brings one more if fewer are coming than are queued: it calls
// one that is asleep; else it starts one, up to the limit. Whoever looks first takes the first job,
// and who finds none sleeps. So no job waits while a thread sleeps that nobody has called:
//   queued <= coming, or none is asleep
// and a submit takes one lock and wakes at most one thread. A task that makes one call after the
// other stays with one thread, which is coming before it hands a job back. If none can be started
// the job waits for those that are there; without any it is refused, so a queue without threads is
// empty.
//
// The end. All jobs have ended (the tasks that waited for them have). end() calls all threads; each
// finds the queue empty and leaves.
//
// Orders: the lock brings a job to its thread; what comes of it travels with hand_back(), in which
// the completion of a parking word releases it. Counters are relaxed. `coming_` alone decides
// something: a thread counts itself without the lock, after a job, and takes itself off under it. A
// submit that sees it counted holds the lock before it does, so its job is in the queue when it
// looks; one that does not see it brings a thread too many.

namespace cove::pool {

/// What a lane is built with.
struct lane_settings {
  const char* name = "";  ///< For its threads: at most five letters.
  unsigned threads_max = 1;
};

class lane {
 public:
  explicit lane(lane_settings chosen) noexcept : settings_(chosen) {}
  ~lane() { end(); }
  lane(const lane&) = delete;
  lane& operator=(const lane&) = delete;

  /// Any thread: lets a thread of the lane run it. It may have been handed back already when this
  /// returns. False if there is no thread and none can be started: nothing was done.
  [[nodiscard]] bool submit(job& which) noexcept;

  /// Whoever submitted it. True: it had not begun and never will. False: it runs or has run, and it
  /// will be handed back, or was.
  [[nodiscard]] bool take_back(job& which) noexcept;

  /// Ends the threads. Nothing is queued and nobody submits any more.
  void end() noexcept;

  /// What it is doing, at some moment during the call.
  struct counts {
    unsigned threads;
    unsigned threads_max;
    std::size_t queued;
    std::uint64_t running;
    std::uint64_t finished;
  };
  counts count() noexcept;

 private:
  void work(unsigned number) noexcept;
  void call(std::size_t count) noexcept;  // Under lock_.
  bool start_thread() noexcept;           // Under lock_.

  const lane_settings settings_;

  // Any thread.
  std::atomic<std::uint64_t> running_{0};
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<std::size_t> coming_{0};  ///< See "Who runs it".

  std::mutex lock_;
  std::condition_variable called_;
  // Under lock_.
  job_queue queue_;
  std::vector<std::thread> threads_;
  std::size_t asleep_ = 0;  ///< Threads that sleep, but for those that were called.
  std::size_t calls_ = 0;   ///< Sleeping threads that were called and have not woken yet.
  bool ending_ = false;
};

}  // namespace cove::pool
