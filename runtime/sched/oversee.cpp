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
  survey now;
  now.ns = detail::now_ns();
  note_machines();
  for (machine* m : overseen_) m->seen.p = nullptr;
  detail::task_list came;
  for (const auto& p : processors_) {
    if (batches_ && poller_backend_->overdue(p->id)) poller_backend_->flush(p->id, came);
    if (machine* m = p->holder.load(std::memory_order_acquire); m != nullptr) m->seen.p = p.get();
  }
  if (!came.empty()) ready_all(came);
  unsettled_ = false;
  for (machine* m : overseen_) look_at(*m, now);
  if (now.share) wake_one();
  if (!now.retaken && now.computing != nullptr &&
      now.stuck == in_use_.load(std::memory_order_relaxed))
    hand_on(*now.computing->seen.p, *now.computing);
  // Last, as it may take a while.
  const bool refused = thread_refused_.exchange(false, std::memory_order_relaxed);
  if (std::exchange(short_of_threads_, false) || refused)
    if (settings_.short_of_threads != nullptr)
      settings_.short_of_threads(settings_.stalled_context, static_cast<unsigned>(overseen_.size()),
                                 refused);
  if (unsettled_)
    for (machine* m : overseen_) tell_stall(*m, now.ns);
  return now.annotated;
}

void scheduler::look_at(machine& m, survey& now) noexcept {
  const bool scoped = m.blocking_scopes.load(std::memory_order_relaxed) != 0;
  now.annotated = now.annotated || scoped;
  const std::uint64_t turns = m.turns.load(std::memory_order_relaxed);
  if (std::exchange(m.seen.turns, turns) != turns) {
    m.seen.since_ns = now.ns;
    m.seen.cpu_ns = -1;
    m.seen.found = verdict::wait;
    m.seen.told = false;
    if (!settings_.retake_at_once) return;
  }
  processor* p = m.seen.p;
  if (p != nullptr && !p->queue.empty()) {
    p->next_slot.share();
    now.share = true;
  }
  // acquire in inside(): what the thread wrote of itself before it left.
  if (m.presence.inside()) return;
  const verdict found = judge(m, scoped, now.ns);
  if (found != verdict::wait) m.seen.found = found;
  if (p != nullptr && found != verdict::wait) {
    ++now.stuck;
    const bool worth_it = worth_handing_on(*p, now.ns);
    if (worth_it && found == verdict::blocked)
      now.retaken = hand_on(*p, m) || now.retaken;
    else if (worth_it && now.computing == nullptr)
      now.computing = &m;
  }
  if (settings_.stall_after_ns > 0 && !m.seen.told && m.seen.found != verdict::wait)
    unsettled_ = true;
}

/// Of a thread that is still with the task of the last look.
verdict scheduler::judge(machine& m, bool scoped, std::int64_t now) noexcept {
  if (scoped || settings_.retake_at_once) return verdict::blocked;
  const std::int64_t cpu = m.cpu.ns();
  const std::int64_t before = std::exchange(m.seen.cpu_ns, cpu);
  const std::int64_t asked = std::exchange(m.seen.asked_ns, now);
  if (now - m.seen.since_ns < blocked_after_ns || before < 0) return verdict::wait;
  return cpu - before < (now - asked) / blocked_share ? verdict::blocked : verdict::computes;
}

void scheduler::tell_stall(machine& m, std::int64_t now) noexcept {
  if (m.seen.told || m.seen.found == verdict::wait ||
      now - m.seen.since_ns < settings_.stall_after_ns || m.presence.inside())
    return;
  m.seen.told = true;
  stall what;
  what.thread = m.system_number;
  what.ns = now - m.seen.since_ns;
  what.blocks = m.seen.found == verdict::blocked;
  bool found = false;
  m.presence.hold_still([&] {
    const detail::task_ctl* task = m.current.load(std::memory_order_relaxed);
    if (task == nullptr || m.turns.load(std::memory_order_relaxed) != m.seen.turns) return;
    what.task = task->id;
    what.name = task->name.load(std::memory_order_relaxed);
    what.place = task->place.load(std::memory_order_relaxed);
    what.spawner = task->parent_id;
    what.handed_on = m.seen.p == nullptr || m.seen.p->holder.load(std::memory_order_relaxed) != &m;
    found = true;
  });
  if (!found) return;
  stalls_.fetch_add(1, std::memory_order_relaxed);
  settings_.stalled(settings_.stalled_context, what);
}

bool scheduler::worth_handing_on(processor& p, std::int64_t now) noexcept {
  if (settings_.retake_at_once || !p.queue.empty() || p.timers.earliest() <= now || any_global())
    return true;
  return idle_.load(std::memory_order_relaxed) == 0 &&
         spinning_.load(std::memory_order_relaxed) == 0 &&
         !waiting_.load(std::memory_order_relaxed) && anything_to_poll_for();
}

/// Takes the processor from a thread that does not come back, and wakes somebody for it.
bool scheduler::hand_on(processor& p, machine& m) noexcept {
  if (!anybody_for_a_processor()) {
    if (all_threads_block()) {
      counters::add(hand_offs_missed_);
      short_of_threads_ = true;
    }
    return false;
  }
  const bool taken = m.presence.take(m.p, p, [&] {
    const std::lock_guard guard(lock_);
    give_up(p, m);
  });
  if (!taken) return false;
  if (batches_) poller_backend_->submit(p.id);
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
  p.next_slot.share();  // Nobody is about to run what lies there any more.
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

/// As many as there may be, and each holds a processor or has lost it: none is on its way to look
/// for work.
bool scheduler::all_threads_block() noexcept {
  const std::lock_guard guard(lock_);
  const std::size_t held =
      in_use_.load(std::memory_order_relaxed) - idle_.load(std::memory_order_relaxed);
  return machines_.size() == processors_.size() + settings_.extra_threads &&
         machines_.size() == lost_ + held;
}

/// Those that are there by now. More are added at times, none go while sysmon runs.
void scheduler::note_machines() noexcept {
  const std::lock_guard guard(lock_);
  for (auto i = overseen_.size(); i < machines_.size(); ++i)
    overseen_.push_back(machines_[i].get());  // There is room for all.
}

bool scheduler::anything_to_poll_for() noexcept {
  return poller_backend_->expects() || earliest_timer() != timer_heap::never();
}

bool scheduler::network_neglected() noexcept {
  const std::uint64_t polls = polls_.load(std::memory_order_relaxed);
  return std::exchange(polls_seen_, polls) == polls && !waiting_.load(std::memory_order_relaxed) &&
         anything_to_poll_for();
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
