#include "sched/scheduler.hpp"

#include "native_stack.hpp"
#include "sched/dispatch.hpp"
#include "sched/runtime_entry.hpp"

#include <utility>

namespace cove::sched {

scheduler::scheduler(const struct settings& chosen, std::unique_ptr<netpoll::backend> poller)
    : settings_(chosen),
      poller_backend_(std::move(poller)),
      batches_(poller_backend_->model() == netpoll::model::completion) {
  processors_.reserve(settings_.workers);
  machines_.reserve(settings_.workers + settings_.extra_threads);
  overseen_.reserve(settings_.workers + settings_.extra_threads);
  for (unsigned i = 0; i < settings_.workers; ++i) {
    processors_.push_back(std::make_unique<processor>(i, settings_.sysmon));
    processors_.back()->queue.set_limit(settings_.ring_slots);
    processors_.back()->queue.set_solo(settings_.workers == 1);
  }
  if (settings_.clock != nullptr) settings_.clock->attach(*poller_backend_);
  active_ = settings_.active != 0 ? settings_.active : settings_.workers;
  in_use_.store(settings_.workers, std::memory_order_relaxed);
  for (unsigned i = settings_.workers; i-- > 0;) release_idle(*processors_[i]);
  // The first worker here, where it can be reported that there is no thread for it.
  start_machine(nullptr, false);
}

/// A stay of a thread that is no worker of this scheduler. Begins while the caller still owns a
/// task of it, so it cannot have gone; its end is the last access.
class scheduler::visit {
 public:
  explicit visit(scheduler& host) noexcept : host_(host) {
    host_.visitors_.fetch_add(1, std::memory_order_relaxed);
  }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;
  // release: pairs with the acquire in shut_down().
  ~visit() { host_.visitors_.fetch_sub(1, std::memory_order_release); }

 private:
  scheduler& host_;
};

scheduler::~scheduler() { shut_down(); }

void scheduler::ready(detail::task_ctl& task, placement where) noexcept {
  const runtime_entry entry(*this);
  if (entry.p() != nullptr)
    ready_on(*entry.p(), task, where);
  else
    inject(task);
}

void scheduler::ready_on(processor& p, detail::task_ctl& task, placement where) noexcept {
  detail::task_ctl* displaced = where == placement::next ? p.queue.push_next(&task) : &task;
  if (displaced != nullptr) push(p, *displaced);
  if (processors_.size() == 1 || (displaced == nullptr && p.next_slot.keep())) return;
  wake_one();
}

void scheduler::ready_all(detail::task_list& tasks) noexcept {
  if (tasks.empty()) return;
  const runtime_entry entry(*this);
  if (entry.p() != nullptr) {
    keep(*entry.p(), tasks);
    if (processors_.size() > 1) wake_one();
    return;
  }
  const visit stay(*this);
  {
    const std::lock_guard guard(lock_);
    while (detail::task_ctl* task = tasks.pop()) global_.push(*task);
    publish_global_count();
  }
  wake_one();
}

void scheduler::requeue(processor* p, detail::task_ctl& task) noexcept {
  if (p == nullptr) return inject(task);
  // No wake: the amount of work has not grown.
  push(*p, task);
}

void scheduler::inject(detail::task_ctl& task) noexcept {
  const visit stay(*this);
  if (arrivals_.push(task)) wake_one();
}

std::uint64_t scheduler::new_task_id(machine* m) noexcept {
  constexpr std::uint64_t block = 1024;
  if (m == nullptr || &m->owner != this)
    return next_task_id_.fetch_add(1, std::memory_order_relaxed);
  if (m->next_id == m->last_id) {
    m->next_id = next_task_id_.fetch_add(block, std::memory_order_relaxed);
    m->last_id = m->next_id + block;
  }
  return m->next_id++;
}

unsigned scheduler::threads() noexcept {
  const std::lock_guard guard(lock_);
  return static_cast<unsigned>(machines_.size());
}

unsigned scheduler::threads_lost() noexcept {
  const std::lock_guard guard(lock_);
  return static_cast<unsigned>(lost_);
}

void scheduler::run_worker(machine& m) noexcept {
  set_this_machine(&m);
  m.cpu = thread_clock::of_this_thread();
  m.system_number = detail::this_thread_number();
  while (detail::task_ctl* task =
             m.first != nullptr ? std::exchange(m.first, nullptr) : find_work(m)) {
    counters::add(m.p->count.runs);
    dispatch(m, *task);
    // The processor was taken after run_before() had made plans for it.
    if (m.p == nullptr && m.first != nullptr) inject(*std::exchange(m.first, nullptr));
  }
  set_this_machine(nullptr);
}

void scheduler::shut_down() noexcept {
  std::vector<std::unique_ptr<machine>> ending;
  {
    const std::lock_guard guard(lock_);
    exit_.store(true, std::memory_order_relaxed);
    while (machine* m = idle_machines_) {
      idle_machines_ = m->next_idle;
      m->granted = nullptr;
      m->sleep.unpark();
    }
    ending.swap(machines_);
  }
  poller_backend_->wake();
  for (const auto& m : ending)
    if (m->thread.joinable()) m->thread.join();
  while (visitors_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  if (settings_.clock != nullptr) settings_.clock->detach();
}

}  // namespace cove::sched
