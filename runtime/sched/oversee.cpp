#include "sched/scheduler.hpp"

#include "clock.hpp"
#include "sched/runtime_entry.hpp"

#include <utility>

// What sysmon does for a scheduler: it hands the processor of a thread that does not come back to
// another one, shares what lies behind a long task, asks the network when nobody else does.
//
// A processor is looked at because its task has not changed since the last look. Then
//
//   its thread is in a blocking_scope          handed on
//   it has used no CPU for 10 ms: it blocks    handed on
//   it computes                                left, as others steal what is queued there; handed
//                                              on only if all processors are stuck
//
// if there is something to do with it: tasks or timers of its own, tasks of nobody, a network that
// nobody looks after. How it is taken stands in tenure.hpp. It is then idle, and wake_one() finds
// somebody for it: a thread that sleeps, the one in the poller, a new one.
//
// A thread that comes back without its processor goes on with its task until that next waits, and
// then as any worker that has none: it takes its old one if that is idle, another one, or sleeps.
// There are so more threads than processors, by the number of those that ever blocked at once. They
// stay: io_uring cancels what a thread has asked for when it ends.

namespace cove::sched {
namespace {

constexpr std::int64_t blocked_after_ns = 10'000'000;
/// Of the time between two looks: a thread that used less CPU than this part is blocked.
constexpr std::int64_t blocked_share = 8;

}  // namespace

/// True if some thread is in a section that it said would block.
bool scheduler::oversee() noexcept {
  const std::int64_t now = detail::now_ns();
  unsigned stuck = 0;
  bool annotated = false;
  bool share = false;
  bool retaken = false;
  processor* computing = nullptr;
  detail::task_list came;
  for (const auto& each : processors_) {
    processor& p = *each;
    if (batches_ && poller_backend_->overdue(p.id)) poller_backend_->flush(p.id, came);
    machine* m = p.holder.load(std::memory_order_acquire);
    const std::uint64_t runs = p.count.runs.load(std::memory_order_relaxed);
    const bool scoped = m != nullptr && m->blocking_scopes.load(std::memory_order_relaxed) != 0;
    annotated = annotated || scoped;
    const bool same = std::exchange(p.seen.runs, runs) == runs || settings_.retake_at_once;
    if (m == nullptr || !same) {
      p.seen.since_ns = now;
      p.seen.cpu_ns = -1;
      continue;
    }
    if (!p.queue.empty()) {
      p.next_slot.share();
      share = true;
    }
    // acquire in inside(): what the thread wrote of itself before it began.
    if (m->presence.inside()) continue;
    switch (judge(p, *m, scoped, now)) {
      case verdict::wait: break;
      case verdict::blocked:
        ++stuck;
        if (worth_handing_on(p, now)) retaken = hand_on(p, *m) || retaken;
        break;
      case verdict::computes:
        ++stuck;
        if (computing == nullptr && worth_handing_on(p, now)) computing = &p;
        break;
    }
  }
  if (!came.empty()) ready_all(came);
  if (share) wake_one();
  if (!retaken && computing != nullptr && stuck == processors_.size())
    if (machine* m = computing->holder.load(std::memory_order_acquire); m != nullptr)
      hand_on(*computing, *m);
  return annotated;
}

/// Of a processor that is still with the task of the last look.
scheduler::verdict scheduler::judge(processor& p, const machine& m, bool scoped,
                                    std::int64_t now) noexcept {
  if (scoped || settings_.retake_at_once) return verdict::blocked;
  const std::int64_t cpu = m.cpu.ns();
  const std::int64_t before = std::exchange(p.seen.cpu_ns, cpu);
  const std::int64_t asked = std::exchange(p.seen.asked_ns, now);
  if (now - p.seen.since_ns < blocked_after_ns || before < 0) return verdict::wait;
  return cpu - before < (now - asked) / blocked_share ? verdict::blocked : verdict::computes;
}

bool scheduler::worth_handing_on(processor& p, std::int64_t now) noexcept {
  if (settings_.retake_at_once || !p.queue.empty() || p.timers.earliest() <= now ||
      global_count_.load(std::memory_order_relaxed) != 0)
    return true;
  return idle_.load(std::memory_order_relaxed) == 0 &&
         spinning_.load(std::memory_order_relaxed) == 0 &&
         !waiting_.load(std::memory_order_relaxed) &&
         (poller_backend_->watched() != 0 || earliest_timer() != timer_heap::never());
}

/// Takes the processor from a thread that does not come back, and wakes somebody for it.
bool scheduler::hand_on(processor& p, machine& m) noexcept {
  if (!anybody_for_a_processor()) return false;
  const bool taken = m.presence.take(m.p, p, [&] {
    const std::lock_guard guard(lock_);
    give_up(p, m);
  });
  if (!taken) return false;
  wake_one();
  return true;
}

void scheduler::hand_on_mine(machine& m) noexcept {
  const runtime_entry entry(*this, &m);
  if (entry.p() == nullptr || !anybody_for_a_processor()) return;
  if (batches_) poller_backend_->submit(entry.p()->id);
  {
    const std::lock_guard guard(lock_);
    give_up(*entry.p(), m);
  }
  m.p = nullptr;
  wake_one();
}

/// Under lock_. The thread goes on in user code, without its processor.
void scheduler::give_up(processor& p, machine& m) noexcept {
  ++lost_;
  m.lost = true;
  release_idle(p);
  hand_offs_.fetch_add(1, std::memory_order_relaxed);
}

/// If not, a processor that is taken away would do nobody any good.
bool scheduler::anybody_for_a_processor() noexcept {
  const std::lock_guard guard(lock_);
  return idle_machines_ != nullptr || waiting_.load(std::memory_order_relaxed) ||
         may_start_machine(lost_ + 1);
}

bool scheduler::network_neglected() noexcept {
  const std::uint64_t polls = polls_.load(std::memory_order_relaxed);
  return std::exchange(polls_seen_, polls) == polls && !waiting_.load(std::memory_order_relaxed) &&
         (poller_backend_->watched() != 0 || earliest_timer() != timer_heap::never());
}

void scheduler::mend_neglect() noexcept {
  if (idle_.load(std::memory_order_relaxed) != 0) return wake_one();
  if (polling_.exchange(true, std::memory_order_acquire)) return;
  detail::task_list came;
  poller_backend_->poll(netpoll::no_lane, came);
  polling_.store(false, std::memory_order_release);
  polls_.fetch_add(1, std::memory_order_relaxed);
  ready_all(came);
}

}  // namespace cove::sched
