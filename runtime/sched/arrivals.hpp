#pragma once

#include <cove/runtime/detail/atomic.hpp>

// Tasks that threads outside have woken: the completion queue of the pool, among others.
//
// The problem. A thread of the pool that has ended a call gives its task back to the workers. Many
// of them may do so at once, while workers are busy or asleep. None of them may wait for a lock
// that a worker holds, a worker is to be woken once for all that came meanwhile, and takes all of
// it at once.
//
// The design is libuv's: a list of what is done, and a signal that is pending or not. Here the list
// is its own signal: who finds it empty brings the signal, through the scheduler's wake_one(),
// which rings the netpoller's bell if a worker waits in the kernel. It is linked through the tasks,
// newest first. Workers take all of it wherever they look at the global queue, and turn it round.
//
// Rejected: a pipe of the pool's own in the netpoller. A worker that runs tasks would ask the
// kernel for what one load of a word says, and each batch would cost two system calls more.
// Rejected: the global queue itself, under the scheduler's lock, with a look for somebody to wake
// for each task. It is as fast: a call on the pool takes 2.6 us there and back either way, 2.1 us
// with 64 of them at once (CPU time of both sides, medians of 15, one worker; with two 2.1 and
// 1.7; bench/blocking_bench.cpp). But a thread that the system stops under the lock holds up
// workers and pool alike.
//
// State of the word: null (empty) or the task that came last.
//   empty or a task -> task   push()
//   a task -> empty           take()
// Whoever pushes onto a list that is not empty goes away without a signal. The list was empty once;
// who ended that is in wake_one() or will be. If that finds that nobody needs to be woken, a worker
// is awake that looks at the list before it sleeps ("Worker parking/unparking" in scheduler.hpp),
// and takes what came later as well.

namespace cove::sched {

/// `Task` has a member `Task* next`, which belongs to the list meanwhile.
template <class Task>
class arrivals {
 public:
  bool empty() const noexcept {
    // acquire: pairs with take(), whose caller has said before where the tasks are now.
    return last_.load(std::memory_order_acquire) == nullptr;
  }

  /// Any thread. True: it was empty, so somebody has to be told.
  bool push(Task& task) noexcept {
    // relaxed: only a first guess for the exchange.
    Task* last = last_.load(std::memory_order_relaxed);
    do {
      task.next = last;
      // release: the task and its link, for who takes the list.
    } while (!last_.compare_exchange_weak(last, &task, std::memory_order_release,
                                          std::memory_order_relaxed));
    return last == nullptr;
  }

  /// Any thread: all that are there, the one that came first in front. Null if there are none.
  Task* take() noexcept {
    // acquire: pairs with push(). release: pairs with empty().
    Task* each = last_.exchange(nullptr, std::memory_order_acq_rel);
    Task* first = nullptr;
    while (each != nullptr) {
      Task* before = each->next;
      each->next = first;
      first = each;
      each = before;
    }
    return first;
  }

 private:
  detail::atomic<Task*> last_{nullptr};
};

}  // namespace cove::sched
