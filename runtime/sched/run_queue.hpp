#pragma once

// The run queue of a P: a ring that its owner fills and drains and that others steal from, and a
// next slot in front of it for the task that was just woken by the one that runs.
//
// It is Go's queue (proc.go: runqput, runqget, runqgrab, runqsteal). Under a mutex a thief that is
// preempted would stop the owner; a Chase-Lev deque is last in, first out for its owner, which
// starves old tasks, and it saves nothing, for each of its pops needs a full fence. Here everyone
// takes from the head:
//
//   push    The owner writes the slot, then publishes it with a release store of tail.
//   pop     The owner reads the slot at head, then claims it with a compare-exchange of head.
//   steal   A thief reads head, then tail, copies the older half into the unpublished part of its
//           own ring, then claims all of it with one compare-exchange of the victim's head. A copy
//           whose claim fails was never published and is overwritten by the next attempt.
//
// head and tail count up for ever and are reduced only to index the slots. Only the owner writes
// slots and tail, so a slot can be reused only after the owner has seen the head move past it: the
// release of every claim pairs with the acquire of push's look at head, and no thief reads a slot
// that has begun a new life and claims it. The same release lets a thief that has seen a head see
// a tail not older than it, so the number it takes for "waiting" can be too large (the head was
// stale, the claim will fail) but never wraps below zero.
//
// The next slot is filled by its owner only; thieves may only empty it. So an owner that sees it
// empty fills it with a store, and an owner that finds it occupied exchanges.
//
// What this file does not order: a push against the read of a counter of sleepers, or an empty()
// against the announcement of going to sleep. There each side writes and then reads what the other
// wrote, for which release and acquire are too weak; whoever wakes and whoever goes to sleep puts a
// seq_cst fence between its write and its read.
//
// "Owner" is whoever holds the P. A P that changes hands does so through a lock or an acquiring
// claim of its own, so that a new owner sees all that the old one did.

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/detail/atomic.hpp>

#include <cstdint>

namespace cove::sched {

/// Task has a member `Task* next`, which belongs to the queue only while an overflow batch is
/// linked; a task in the ring or in the next slot may have it in any state.
template <class Task, unsigned Capacity = 256>
class run_queue {
  static_assert(Capacity != 0 && (Capacity & (Capacity - 1)) == 0,
                "positions wrap at 2^32, which a power of two divides");

 public:
  /// solo: there will be no thieves (a single P); then nothing here is a locked instruction.
  explicit run_queue(bool solo = false) noexcept : solo_(solo) {}
  run_queue(const run_queue&) = delete;
  run_queue& operator=(const run_queue&) = delete;

  /// Only while no other thread uses the queue.
  void set_solo(bool solo) noexcept { solo_ = solo; }

  /// Treats the ring as full at `limit` tasks (1 to Capacity), for tests that want overflows.
  /// Only while the ring is empty and no other thread uses the queue.
  void set_limit(unsigned limit) noexcept {
    COVE_ASSERT(limit >= 1 && limit <= Capacity && size() == 0);
    limit_ = limit;
  }

  /// Puts a task behind all others. Returns null; or, where the ring was full, a list of `count`
  /// tasks linked by next in their order, which the caller owes a place on the global queue: the
  /// older half of the ring, then `task`, which is the list's last. count is written only then.
  /// Threads: the owner.
  [[nodiscard]] Task* push(Task* task, unsigned& count) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      // Acquire pairs with the release of the claims: slots before head are ours to overwrite.
      const std::uint32_t head = head_.load(std::memory_order_acquire);
      if (tail - head < limit_) {
        slot(tail).store(task, std::memory_order_relaxed);
        // Release pairs with the thief's acquire of tail: it sees the slot and the task behind it.
        tail_.store(tail + 1, std::memory_order_release);
        return nullptr;
      }
      const std::uint32_t half = (tail - head) / 2;
      if (claim(head, half)) {
        count = half + 1;
        return link(head, half, task);
      }
      // Thieves were here, so there is room now.
    }
  }

  /// Puts a task before all others. Returns the one it displaced, which the caller pushes, or null.
  /// Threads: the owner.
  [[nodiscard]] Task* push_next(Task* task) noexcept {
    Task* displaced = next_.load(std::memory_order_relaxed);
    // Release, on both ways, pairs with the acquire of a thief's compare-exchange of the slot, and
    // with the acquire in empty().
    if (displaced == nullptr || solo_) {
      next_.store(task, std::memory_order_release);
      return displaced;
    }
    return next_.exchange(task, std::memory_order_release);
  }

  /// Takes the task out of the next slot; null where there is none.
  /// Threads: the owner.
  [[nodiscard]] Task* take_next() noexcept {
    Task* task = next_.load(std::memory_order_relaxed);
    if (task == nullptr) return nullptr;
    // The task in it is the owner's own, so nothing is acquired. Release pairs with the acquire in
    // empty(), which has to see what the owner pushed before.
    if (solo_) {
      next_.store(nullptr, std::memory_order_release);
      return task;
    }
    return next_.exchange(nullptr, std::memory_order_release);
  }

  /// Takes the task out of the next slot if it is this one.
  /// Threads: the owner.
  [[nodiscard]] bool take_next_if(Task& task) noexcept {
    Task* expected = next_.load(std::memory_order_relaxed);
    if (expected != &task) return false;
    // As in take_next().
    if (!solo_)
      return next_.compare_exchange_strong(expected, nullptr, std::memory_order_release,
                                           std::memory_order_relaxed);
    next_.store(nullptr, std::memory_order_release);
    return true;
  }

  /// Takes the oldest task of the ring; null where there is none.
  /// Threads: the owner.
  [[nodiscard]] Task* pop() noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      // Only the number matters: the slots are the owner's own writes.
      const std::uint32_t head = head_.load(std::memory_order_relaxed);
      if (head == tail) return nullptr;
      Task* task = slot(head).load(std::memory_order_relaxed);
      if (claim(head, 1)) return task;
    }
  }

  /// Steals the older half of this ring, rounded up, as far as `mine` has room: returns the oldest
  /// to run it and puts the others into `mine`. Only where the ring is empty, and only with
  /// `take_next`, it takes the task in the next slot; that one is warm in the victim's cache and
  /// about to run there, so a caller asks for it last and gives a running victim a moment before.
  /// Threads: the owner of `mine`, which is not the owner of this queue.
  [[nodiscard]] Task* steal_into(run_queue& mine, bool take_next) noexcept {
    COVE_ASSERT(&mine != this && !solo_);
    const std::uint32_t my_tail = mine.tail_.load(std::memory_order_relaxed);
    // Acquire pairs with the claims of those who steal from `mine`, as in push.
    const std::uint32_t my_head = mine.head_.load(std::memory_order_acquire);
    const std::uint32_t room = mine.limit_ - (my_tail - my_head);
    for (;;) {
      // Acquire pairs with the claims, so that the tail read next is not older than this head.
      const std::uint32_t head = head_.load(std::memory_order_acquire);
      // Acquire pairs with push's store of tail: the slots below it and the tasks in them.
      const std::uint32_t tail = tail_.load(std::memory_order_acquire);
      std::uint32_t take = tail - head;
      take -= take / 2;
      if (take == 0) {
        if (!take_next) return nullptr;
        Task* next = next_.load(std::memory_order_relaxed);
        if (next == nullptr) return nullptr;
        // Acquire pairs with push_next's release: the task behind the pointer.
        if (next_.compare_exchange_strong(next, nullptr, std::memory_order_acquire,
                                          std::memory_order_relaxed)) {
          return next;
        }
        continue;
      }
      // More than a ring holds: this head is stale, and its claim would fail.
      if (take > Capacity - Capacity / 2) continue;
      if (take > room + 1) take = room + 1;
      Task* first = slot(head).load(std::memory_order_relaxed);
      for (std::uint32_t i = 1; i < take; ++i) {
        mine.slot(my_tail + i - 1)
            .store(slot(head + i).load(std::memory_order_relaxed), std::memory_order_relaxed);
      }
      if (!claim(head, take)) continue;
      // Release as in push.
      if (take > 1) mine.tail_.store(my_tail + take - 1, std::memory_order_release);
      return first;
    }
  }

  /// How many tasks the ring holds, without the next slot: exact for the owner while nobody steals,
  /// else a value it may have had.
  /// Threads: any.
  [[nodiscard]] unsigned size() const noexcept {
    // Acquire as in steal_into: a tail not older than the head.
    const std::uint32_t head = head_.load(std::memory_order_acquire);
    const std::uint32_t held = tail_.load(std::memory_order_acquire) - head;
    return held < Capacity ? held : Capacity;
  }

  /// Whether neither ring nor next slot held a task at some moment during the call. A task that the
  /// owner has displaced from the slot and not yet pushed is in neither.
  /// Threads: any.
  [[nodiscard]] bool empty() const noexcept {
    // Reading the ring and then the slot is not enough: in between, the owner may displace a task
    // from the slot into the ring and then take the new one. Reading tail a second time shows it:
    // who reads the slot that take_next emptied (acquire, pairs with its release) sees that push.
    for (;;) {
      const std::uint32_t head = head_.load(std::memory_order_acquire);
      const std::uint32_t tail = tail_.load(std::memory_order_acquire);
      const bool no_next = next_.load(std::memory_order_acquire) == nullptr;
      if (tail == tail_.load(std::memory_order_relaxed)) return head == tail && no_next;
    }
  }

 private:
  detail::atomic<Task*>& slot(std::uint32_t position) noexcept {
    return slots_[position % Capacity];
  }

  /// Makes [head, head + count) the caller's if head is still where the caller saw it.
  bool claim(std::uint32_t head, std::uint32_t count) noexcept {
    // Release pairs with the acquire loads of head in push, steal_into, size and empty.
    if (solo_) {
      head_.store(head + count, std::memory_order_release);
      return true;
    }
    return head_.compare_exchange_strong(head, head + count, std::memory_order_release,
                                         std::memory_order_relaxed);
  }

  /// Links `count` claimed slots and `last`. Not before the claim: until then a thief may own them.
  /// The slots still hold what they held, for nobody but the owner writes slots.
  Task* link(std::uint32_t head, std::uint32_t count, Task* last) noexcept {
    last->next = nullptr;
    Task* first = last;
    for (std::uint32_t i = count; i != 0; --i) {
      Task* task = slot(head + i - 1).load(std::memory_order_relaxed);
      task->next = first;
      first = task;
    }
    return first;
  }

  // head, tail and next share one line, for every operation reads two of them.
  // head: the oldest task. Moves up by compare-exchange, by whoever claims; by store when solo.
  alignas(64) detail::atomic<std::uint32_t> head_{0};
  // tail: the first free position. Moves up by the owner's store.
  detail::atomic<std::uint32_t> tail_{0};
  // next: null -> task and task -> other task by the owner; task -> null by the owner or a thief.
  detail::atomic<Task*> next_{nullptr};

  // The owner only.
  std::uint32_t limit_ = Capacity;

  // Constant while others use the queue.
  bool solo_;

  // Written by the owner only, read by thieves too. What a reader gets counts only after a claim.
  detail::atomic<Task*> slots_[Capacity]{};
};

}  // namespace cove::sched
