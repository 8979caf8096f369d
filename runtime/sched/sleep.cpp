#include "sched/scheduler.hpp"

#include "clock.hpp"

#include <utility>

// Into sleep and out of it: the right-hand sides of both protocols at the head of scheduler.hpp.

namespace cove::sched {

/// The worker found nothing, or has lost its processor. Comes back with a processor and perhaps
/// something to run, or gives false when the scheduler ends.
bool scheduler::sleep(machine& m) noexcept {
  const bool was_spinning = m.spinning;
  m.lent = false;
  {
    const std::lock_guard guard(lock_);
    if (exit_.load(std::memory_order_relaxed)) return false;
    if (m.p != nullptr) {
      if (!global_.empty() || !arrivals_.empty())
        return true;  // The caller looks again and takes it.
      m.lent = std::exchange(m.p->lent, false);
      release_idle(*m.p);
      m.p = nullptr;
    }
    if (std::exchange(m.lost, false)) --lost_;
  }
  if (was_spinning) {
    m.spinning = false;
    spinning_.fetch_sub(1, std::memory_order_seq_cst);  // seq_cst: "stop looking", step 1.
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);  // seq_cst: "stop looking", step 2.
  if (any_work()) {
    const std::lock_guard guard(lock_);
    if (take_idle(m)) return start_spinning(m), true;
  }
  std::unique_lock guard(lock_);
  if (exit_.load(std::memory_order_relaxed)) return false;
  if (need_search_) {
    need_search_ = false;
    if (take_idle(m)) return start_spinning(m), true;
  }
  // One that came back to find all processors in use leaves the seat to whoever holds one of them.
  if (!waiting_.load(std::memory_order_relaxed) && idle_processors_ != nullptr) {
    waiting_.store(true, std::memory_order_relaxed);
    seat_wanted_.store(false, std::memory_order_relaxed);
    guard.unlock();
    return wait_for_network(m);
  }
  m.next_idle = idle_machines_;
  idle_machines_ = &m;
  guard.unlock();
  wait_for_token(m);
  if (exit_.load(std::memory_order_relaxed)) return false;
  m.hold(*m.granted);  // The parker's token ordered these behind the waker.
  m.spinning = true;
  counters::add(m.p->count.parks);
  return true;
}

/// Waits until somebody gives it a processor.
void scheduler::wait_for_token(machine& m) noexcept {
  if (!m.lent || !settings_.spin) return m.sleep.park();
  const std::int64_t start = detail::now_ns();
  std::int64_t now = start;
  bool awake = false;
  if (m.loan.worth_it()) {
    while (!awake && now - start < loan_policy::limit_ns) {
      awake = m.sleep.take();
      now = detail::now_ns();
    }
    if (!awake) m.loan.wasted();
  }
  if (!awake) {
    m.sleep.park();
    now = detail::now_ns();
  }
  m.loan.ended(now - start, awake);
}

/// Polls for a bounded time before the sleep in the kernel, where that pays. True: something has
/// come, or somebody rings.
bool scheduler::wait_awake(machine& m, std::int64_t until, std::int64_t& now,
                           detail::task_list& came) noexcept {
  const bool traffic = spin_.worth_it(settings_.spin);
  const bool loan = m.lent && settings_.spin && m.loan.worth_it();
  if (!traffic && !loan) return false;
  const std::int64_t start = now;
  for (unsigned look = 0; now - start < spin_policy::limit_ns && now < until; ++look) {
    // A look at the network is a system call, one at the bell a load.
    if ((traffic || look % 16 == 0) && !polling_.exchange(true, std::memory_order_acquire)) {
      poller_backend_->poll(netpoll::no_lane, came);
      polling_.store(false, std::memory_order_release);
    }
    if (!came.empty() || poller_backend_->woken()) return true;
    now = detail::now_ns();
  }
  if (traffic) spin_.wasted();
  if (loan) m.loan.wasted();
  return false;
}

/// Waits in the kernel for all, without a processor, until something happens, a timer is due or
/// somebody wakes it. Gives the time.
std::int64_t scheduler::wait_in_kernel(machine& m, detail::task_list& came) noexcept {
  // Whoever sets an earlier timer compares with this, after it stored the timer; here it is stored
  // before the timers are read. seq_cst on both sides: one of the two sees the other.
  poll_until_.store(INT64_MAX, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::int64_t until = earliest_timer();
  poll_until_.store(until, std::memory_order_seq_cst);

  const std::int64_t start = detail::now_ns();
  seat_.taken(start);
  std::int64_t now = start;
  const bool awake = wait_awake(m, until, now, came);
  if (came.empty()) {
    const std::int64_t delay = until == timer_heap::never() ? -1 : until > now ? until - now : 0;
    poller_backend_->wait(delay, came);
  }
  poll_until_.store(INT64_MIN, std::memory_order_relaxed);
  now = detail::now_ns();
  if (!came.empty()) spin_.woke(now, now - start, awake);
  if (m.lent && !arrivals_.empty()) m.loan.ended(now - start, awake);
  return now;
}

/// The poller's seat: comes back with a processor if there is one.
bool scheduler::wait_for_network(machine& m) noexcept {
  detail::task_list came;
  std::int64_t now = 0;
  if (settings_.clock == nullptr)
    now = wait_in_kernel(m, came);
  else
    pass_virtual_time(came);
  polls_.fetch_add(1, std::memory_order_relaxed);

  std::unique_lock guard(lock_);
  waiting_.store(false, std::memory_order_relaxed);
  if (exit_.load(std::memory_order_relaxed) && came.empty()) return false;
  if (!take_idle(m)) {
    // Every processor is busy: their workers will come past the global queue.
    while (detail::task_ctl* task = came.pop()) global_.push(*task);
    publish_global_count();
    return true;
  }
  // It goes on as a spinner: when it has found something, it looks whether there is more.
  start_spinning(m);
  seat_wanted_.store(seat_.left(now, settings_.sysmon), std::memory_order_relaxed);
  guard.unlock();
  keep(*m.p, came);
  return true;
}

void scheduler::start_spinning(machine& m) noexcept {
  m.spinning = true;
  spinning_.fetch_add(1, std::memory_order_seq_cst);  // seq_cst: as in wake_one().
}

/// There is more work than before: wakes a worker if one is needed ("bring work", steps 2 and 3).
void scheduler::wake_one() noexcept {
  // seq_cst fence: the work was put on a queue before, the counts are read after; a worker that
  // stops looking does the reverse. Acquire/release would let both read old values.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (idle_.load(std::memory_order_relaxed) == 0 || spinning_.load(std::memory_order_relaxed) != 0)
    return;
  unsigned none = 0;
  // seq_cst: the waker is a spinner from here on, until it has handed that on or taken it back.
  if (!spinning_.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) return;

  std::unique_lock guard(lock_);
  if (idle_processors_ == nullptr || exit_.load(std::memory_order_relaxed)) {
    spinning_.fetch_sub(1, std::memory_order_seq_cst);  // seq_cst: as above, taken back.
    return;
  }
  if (machine* m = idle_machines_; m != nullptr) {
    idle_machines_ = m->next_idle;
    m->granted = take_idle();
    counters::add(m->granted->count.wakes);
    guard.unlock();
    m->sleep.unpark();
  } else if (waiting_.load(std::memory_order_relaxed)) {
    spinning_.fetch_sub(1, std::memory_order_seq_cst);  // seq_cst: the poller will look.
    guard.unlock();
    poller_backend_->wake();
  } else if (may_start_machine(lost_)) {
    processor* p = take_idle();
    try {
      start_machine(p, true);
    } catch (const std::exception&) {
      // No further thread is to be had: the work stays queued for the workers that are there.
      thread_refused_.store(true, std::memory_order_relaxed);
      release_idle(*p);
      spinning_.fetch_sub(1, std::memory_order_seq_cst);  // seq_cst: taken back, as above.
    }
  } else {
    need_search_ = true;
    spinning_.fetch_sub(1, std::memory_order_seq_cst);  // seq_cst: the one falling asleep looks.
  }
}

void scheduler::start_machine(processor* p, bool spinning) {
  auto started = std::make_unique<machine>(*this, static_cast<std::uint32_t>(machines_.size()));
  machine& m = *started;
  if (p != nullptr) m.hold(*p);
  m.clock = settings_.clock;
  m.spinning = spinning;
  m.thread = std::thread([this, &m] { run_worker(m); });
  machines_.push_back(std::move(started));  // There is room for all.
  // relaxed: who holds a processor sees it when that matters; see alone().
  started_.store(static_cast<unsigned>(machines_.size()), std::memory_order_relaxed);
}

/// One for each processor, beside the `lost` ones that have none.
bool scheduler::may_start_machine(std::size_t lost) const noexcept {
  return machines_.size() - lost < processors_.size() &&
         machines_.size() < processors_.size() + settings_.extra_threads;
}

void scheduler::timer_moved_earlier(std::int64_t when_ns) noexcept {
  if (alone()) return;  // Nobody else can be in the poller.
  // seq_cst fence: the timer was stored before; pairs with wait_for_network().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (when_ns < poll_until_.load(std::memory_order_relaxed)) poller_backend_->wake();
}

std::int64_t scheduler::earliest_timer() noexcept {
  std::int64_t earliest = timer_heap::never();
  for (const auto& p : processors_)
    if (const std::int64_t when = p->timers.earliest(); when < earliest) earliest = when;
  return earliest;
}

void scheduler::release_idle(processor& p) noexcept {
  p.holder.store(nullptr, std::memory_order_relaxed);
  if (in_use_.load(std::memory_order_relaxed) > active_) return bench(p);
  p.next_idle = idle_processors_;
  idle_processors_ = &p;
  idle_.fetch_add(1, std::memory_order_seq_cst);  // seq_cst: "stop looking", step 1.
}

/// The one that was released last, as its cache is warm, or `wanted` if that is idle.
processor* scheduler::take_idle(processor* wanted) noexcept {
  processor** link = &idle_processors_;
  while (*link != nullptr && *link != wanted) link = &(*link)->next_idle;
  if (*link == nullptr) link = &idle_processors_;
  processor* p = *link;
  if (p == nullptr) return nullptr;
  *link = p->next_idle;
  idle_.fetch_sub(1, std::memory_order_seq_cst);  // seq_cst: see release_idle().
  if (sysmon_asleep_) {
    sysmon_asleep_ = false;
    sysmon_sleep_.unpark();
  }
  return p;
}

/// For `m`, the one that it had before if it may be.
bool scheduler::take_idle(machine& m) noexcept {
  processor* p = take_idle(m.last);
  if (p != nullptr) m.hold(*p);
  return p != nullptr;
}

bool scheduler::sysmon_may_sleep() noexcept {
  const std::lock_guard guard(lock_);
  if (!all_idle() || exit_.load(std::memory_order_relaxed)) return false;
  sysmon_asleep_ = true;
  return true;
}

}  // namespace cove::sched
