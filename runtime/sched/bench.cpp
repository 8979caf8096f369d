#include "sched/scheduler.hpp"

// Fewer processors, and more again, while tasks run: the CPUs that the process may use can change.
//
// A processor too many is benched: in no list, counted by nobody as idle, never taken. It keeps its
// timers and its ring of the poller, which the others look after as they do for an idle one; its
// tasks go to the global queue. Whoever gives a processor up benches it if there are too many, and
// a worker that does not go idle by itself steps down when it next looks for work.
//
//   active_    so many may be in use; set by sysmon
//   in_use_    processors that are not benched
//   too_many_  in_use_ > active_: asked by each worker, before each task
//
// All of them change under the lock. At least one processor stays, so all that is said of idle and
// busy ones in scheduler.hpp holds for those in use.

namespace cove::sched {

unsigned scheduler::active() noexcept {
  const std::lock_guard guard(lock_);
  return active_;
}

void scheduler::set_active(unsigned count) noexcept {
  bool more = false;
  {
    const std::lock_guard guard(lock_);
    const auto most = static_cast<unsigned>(processors_.size());
    const unsigned wanted = count < 1 ? 1 : count < most ? count : most;
    if (wanted == active_) return;
    more = wanted > active_;
    active_ = wanted;
    while (in_use_.load(std::memory_order_relaxed) > active_ && idle_processors_ != nullptr)
      bench(*take_idle());
    while (in_use_.load(std::memory_order_relaxed) < active_) {
      processor* p = benched_;
      benched_ = p->next_idle;
      in_use_.fetch_add(1, std::memory_order_relaxed);
      release_idle(*p);
    }
    too_many_.store(in_use_.load(std::memory_order_relaxed) > active_, std::memory_order_relaxed);
  }
  if (more) wake_one();
}

/// Under lock_; the caller holds `p`.
void scheduler::bench(processor& p) noexcept {
  while (detail::task_ctl* task = p.queue.take_next()) global_.push(*task);
  while (detail::task_ctl* task = p.queue.pop()) global_.push(*task);
  publish_global_count();
  p.next_idle = benched_;
  benched_ = &p;
  const unsigned left = in_use_.fetch_sub(1, std::memory_order_relaxed) - 1;
  too_many_.store(left > active_, std::memory_order_relaxed);
}

/// The worker gives its processor up if there are too many; false if somebody was first.
bool scheduler::step_down(machine& m) noexcept {
  if (batches_) poller_backend_->submit(m.p->id);
  {
    const std::lock_guard guard(lock_);
    if (in_use_.load(std::memory_order_relaxed) <= active_) return false;
    release_idle(*m.p);
    m.p = nullptr;
  }
  wake_one();  // For what it had.
  return true;
}

}  // namespace cove::sched
