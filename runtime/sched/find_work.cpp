#include "sched/scheduler.hpp"

#include "clock.hpp"

#include <memory>
#include <utility>

// The order in which a worker looks for work: its own queue (the next slot first), the global
// queue, the network, the other processors. Every 61st tick the global queue and the network come
// first, so that a queue that never empties starves neither.

namespace cove::sched {
namespace {

constexpr std::uint32_t fairness_ticks = 61;
constexpr std::uint32_t patience = 8;
constexpr unsigned short_queue = 64;
constexpr std::size_t fairness_batch = 16;
constexpr std::uint32_t timer_ticks = 8;
constexpr unsigned next_streak_max = 3;
constexpr unsigned steal_rounds = 4;
constexpr std::size_t global_batch_max = 128;

}  // namespace

detail::task_ctl* scheduler::find_work(machine& m) noexcept {
  for (;;) {
    while (m.p == nullptr)
      if (!sleep(m)) return nullptr;
    if (exit_.load(std::memory_order_relaxed)) return nullptr;
    if (too_many_.load(std::memory_order_relaxed) && step_down(m)) continue;
    detail::task_ctl* task = find_local(*m.p);
    if (task == nullptr) task = find_elsewhere(m);
    if (task != nullptr) {
      if (m.spinning) found_while_spinning(m);
      return task;
    }
    if (!sleep(m)) return nullptr;
  }
}

detail::task_ctl* scheduler::find_local(processor& p) noexcept {
  const std::uint32_t tick = ++p.tick;
  // It takes a look at the clock. sysmon sees to tasks so long that eight are too many.
  if (batches_ && (tick % timer_ticks == 0 || !settings_.sysmon) && poller_backend_->overdue(p.id))
    poller_backend_->submit(p.id);  // What it brings comes in its turn.
  if (tick % fairness_ticks == 0) {
    run_all_timers(p);
    // With a long queue a look at the network would only make it longer; it can wait a little.
    if (poller_backend_->expects() &&
        (p.queue.size() < short_queue || tick - p.polled >= patience * fairness_ticks))
      poll_now(p);
    if (any_global())
      if (detail::task_ctl* task = take_global(p, fairness_batch); task != nullptr) return task;
  }
  if (tick % timer_ticks == 0) run_timers(p, p);
  if (detail::task_ctl* task = take_in_turn(p); task != nullptr) return task;
  if (run_timers(p, p))
    if (detail::task_ctl* task = take_in_turn(p); task != nullptr) return task;
  if (any_global()) return take_global(p, global_batch_max);
  return nullptr;
}

/// The next slot, but not more than three times in a row while others wait: nothing would ever
/// break up a pair of tasks that wake each other.
detail::task_ctl* scheduler::take_in_turn(processor& p) noexcept {
  detail::task_ctl* next = p.queue.take_next();
  if (next == nullptr) {
    p.next_streak = 0;
    return p.queue.pop();
  }
  p.next_slot.taken();
  if (++p.next_streak <= next_streak_max) return next;
  p.next_streak = 0;
  detail::task_ctl* waiting = p.queue.pop();
  if (waiting == nullptr) return next;
  push(p, *next);
  // It was in no queue for a moment, in which somebody may have looked for it.
  if (processors_.size() > 1) wake_one();
  return waiting;
}

detail::task_ctl* scheduler::find_elsewhere(machine& m) noexcept {
  const auto total = static_cast<unsigned>(processors_.size());
  if (total == 1 && alone()) return nullptr;
  // What was armed here goes out before this processor is anybody's; a thread that is alone hands
  // it in as it goes to wait.
  if (batches_ && flush(*m.p)) return take_in_turn(*m.p);
  // Timers first, of idle processors above all: theirs nobody else looks after, and the poller
  // comes back because of them.
  if (run_all_timers(*m.p)) return take_in_turn(*m.p);
  // relaxed: both counts only decide how hard to look; the protocol's reads come in sleep().
  const unsigned busy =
      in_use_.load(std::memory_order_relaxed) - idle_.load(std::memory_order_relaxed);
  if (busy <= 1 && !m.spinning) return nullptr;  // Nobody else runs, so nothing can be stolen.
  // While somebody waits in the kernel for all, the network needs no look.
  if (!waiting_.load(std::memory_order_relaxed) && poller_backend_->expects())
    if (poll_now(*m.p)) return take_in_turn(*m.p);
  if (!m.spinning) {
    if (2 * spinning_.load(std::memory_order_relaxed) >= busy) return nullptr;
    start_spinning(m);
  }
  return steal(m);
}

detail::task_ctl* scheduler::steal(machine& m) noexcept {
  const auto total = static_cast<unsigned>(processors_.size());
  for (unsigned round = 0; round < steal_rounds; ++round) {
    const bool last = round == steal_rounds - 1;
    const unsigned start = m.draw() % total;
    for (unsigned i = 0; i < total; ++i) {
      processor& victim = *processors_[(start + i) % total];
      if (&victim == m.p) continue;
      // The next slot only in the last round: its task is about to run where it is warm.
      const bool next_too = last && victim.next_slot.shared();
      if (detail::task_ctl* task = victim.queue.steal_into(m.p->queue, next_too); task != nullptr) {
        counters::add(m.p->count.steals);
        return task;
      }
    }
    if (any_global())
      if (detail::task_ctl* task = take_global(*m.p, global_batch_max); task != nullptr)
        return task;
  }
  return nullptr;
}

/// Takes a share of the global queue: the first task to run, the others into the ring. They are in
/// the ring before the length says that they have left the queue, and both before the lock is given
/// back: whoever looks at the length first and then at the rings misses none (any_work()).
detail::task_ctl* scheduler::take_global(processor& p, std::size_t most) noexcept {
  task_batch* emptied = nullptr;
  std::unique_lock guard(lock_);
  if (!arrivals_.empty()) take_arrivals();
  std::size_t share = global_.size() / processors_.size() + 1;
  if (share > most) share = most;
  const std::size_t room = settings_.ring_slots - p.queue.size();
  if (share > room + 1) share = room + 1;
  detail::task_ctl* first = global_.take(share, emptied, [&p](detail::task_ctl& task) {
    unsigned count = 0;
    detail::task_ctl* spilled = p.queue.push(&task, count);
    COVE_CHECK(spilled == nullptr, "a ring with room spilled");  // Thieves only make more room.
  });
  publish_global_count();
  guard.unlock();
  while (emptied != nullptr) delete std::exchange(emptied, emptied->next);
  return first;
}

/// Under lock_. The length says that there is something before the arrivals are gone, and goes on
/// to say so until those that are taken are in a ring; see take_global().
void scheduler::take_arrivals() noexcept {
  // relaxed: the exchange in take() releases it.
  global_count_.store(global_.size() + 1, std::memory_order_relaxed);
  detail::task_ctl* task = arrivals_.take();
  while (task != nullptr) global_.push(*std::exchange(task, task->next));
}

/// Under lock_. release: pairs with the acquire in any_work(); see take_global().
void scheduler::publish_global_count() noexcept {
  global_count_.store(global_.size(), std::memory_order_release);
}

bool scheduler::run_timers(processor& into, processor& of) noexcept {
  if (of.timers.earliest() == timer_heap::never()) return false;
  const std::int64_t now = detail::now_ns();
  if (of.timers.earliest() > now) return false;
  detail::task_list due;
  of.timers.expire(now, &due, 64);
  if (due.empty()) return false;
  keep(into, due);
  // More than what this worker runs itself is work that was brought.
  if (processors_.size() > 1 && into.queue.size() > 1) wake_one();
  return true;
}

/// Timers of all processors: those of an idle one are looked after by nobody else.
bool scheduler::run_all_timers(processor& into) noexcept {
  bool due = false;
  for (const auto& p : processors_) due = run_timers(into, *p) || due;
  return due;
}

bool scheduler::poll_now(processor& p) noexcept {
  // acquire/release: one non-blocking poller at a time, so that workers do not queue up behind the
  // kernel's lock.
  if (polling_.exchange(true, std::memory_order_acquire)) return false;
  detail::task_list came;
  p.polled = p.tick;
  poller_backend_->poll(p.id, came);
  polling_.store(false, std::memory_order_release);
  polls_.fetch_add(1, std::memory_order_relaxed);
  if (came.empty()) return false;
  keep(p, came);
  if (processors_.size() > 1 && p.queue.size() > 1) wake_one();
  return true;
}

void scheduler::give_way(processor& p, detail::task_ctl& task) noexcept {
  // As in find_local(): not into a long queue.
  if (poller_backend_->expects() && p.queue.size() < short_queue) poll_now(p);
  run_timers(p, p);
  push(p, task);
}

/// Hands in what was armed on this processor; true if that brought something to run.
bool scheduler::flush(processor& p) noexcept {
  detail::task_list came;
  p.polled = p.tick;
  poller_backend_->flush(p.id, came);
  if (came.empty()) return false;
  keep(p, came);
  if (processors_.size() > 1 && p.queue.size() > 1) wake_one();
  return true;
}

void scheduler::found_while_spinning(machine& m) noexcept {
  m.spinning = false;
  // seq_cst, and a full fence behind it: "stop looking" of the head of scheduler.hpp. The last
  // spinner replaces itself if there is more than what it found.
  if (spinning_.fetch_sub(1, std::memory_order_seq_cst) != 1) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (seat_wanted_.load(std::memory_order_relaxed) || any_work()) wake_one();
}

bool scheduler::any_work() noexcept {
  // What moves from one place into the next is seen in one of them.
  if (!arrivals_.empty()) return true;
  if (global_count_.load(std::memory_order_acquire) != 0) return true;
  for (const auto& p : processors_)
    if (!p->queue.empty() && (p->queue.size() != 0 || p->next_slot.shared())) return true;
  return false;
}

void scheduler::keep(processor& p, detail::task_list& tasks) noexcept {
  while (detail::task_ctl* task = tasks.pop()) push(p, *task);
}

/// Behind what is there; half of a full ring goes to the global queue, under one lock.
void scheduler::push(processor& p, detail::task_ctl& task) noexcept {
  unsigned count = 0;
  detail::task_ctl* spilled = p.queue.push(&task, count);
  if (spilled == nullptr) return;
  std::unique_ptr<task_batch> batch = task_batch::make();
  for (; batch != nullptr && spilled != nullptr; spilled = spilled->next)
    batch->tasks[batch->end++] = spilled;
  {
    const std::lock_guard guard(lock_);
    if (batch != nullptr) global_.push(std::move(batch));
    while (spilled != nullptr) {  // No memory for a batch: they go one by one.
      detail::task_ctl* next = spilled->next;
      global_.push(*spilled);
      spilled = next;
    }
    publish_global_count();
  }
  wake_one();  // They were in no queue for a moment, in which somebody may have looked for them.
}

}  // namespace cove::sched
