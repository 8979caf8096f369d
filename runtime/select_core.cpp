#include <cove/runtime/detail/select_core.hpp>

#include <cove/runtime/time.hpp>

#include "sched/machine.hpp"
#include "set_timer.hpp"

#include <algorithm>
#include <functional>
#include <new>

// The steps are numbered as in the essay of the header.

namespace cove::detail {
namespace {

select_core& as_select(operation& op) noexcept { return static_cast<select_core&>(op); }

std::int64_t clock_ns() noexcept { return clock::now().time_since_epoch().count(); }

/// Where to begin among `count` cases.
std::size_t random_start(std::size_t count) noexcept {
  sched::machine* m = sched::this_machine();
  // A thread that is no worker has no generator; the clock's last digits do as well for it.
  const std::uint64_t number = m != nullptr ? m->draw() : static_cast<std::uint64_t>(clock_ns());
  return number % count;
}

/// The first case, from a random one on, for which `succeeds`; null if there is none.
template <class Try>
const select_case* first_of(std::span<select_case> cases, Try succeeds) noexcept {
  std::size_t at = random_start(cases.size());
  for (std::size_t left = cases.size(); left != 0; --left, ++at) {
    if (at == cases.size()) at = 0;
    if (succeeds(cases[at])) return &cases[at];
  }
  return nullptr;
}

bool is_due(const select_case& each) noexcept { return each.due_ns <= clock_ns(); }

spin_lock* lock_of(const select_case& each) noexcept {
  return each.who != nullptr ? &each.moves->lock(*each.who) : nullptr;
}

/// Steps 2 and 5: holds the locks of all cases, which it puts into the order of these.
class all_locked {
 public:
  explicit all_locked(std::span<select_case> cases) noexcept : cases_(cases) {
    // Moments, which have no lock, come first.
    std::sort(cases.begin(), cases.end(), [](const select_case& a, const select_case& b) {
      return std::less<>()(lock_of(a), lock_of(b));
    });
    for_each_lock([](spin_lock& each) { each.lock(); });
  }
  ~all_locked() {
    for_each_lock([](spin_lock& each) { each.unlock(); });
  }
  all_locked(const all_locked&) = delete;
  all_locked& operator=(const all_locked&) = delete;

 private:
  template <class F>
  void for_each_lock(F f) noexcept {
    spin_lock* last = nullptr;
    for (const select_case& each : cases_) {
      spin_lock* lock = lock_of(each);
      if (lock != last) f(*lock);
      last = lock;
    }
  }

  std::span<select_case> cases_;
};

}  // namespace

const operation_type select_core::moves{"select", advance, withdraw, refuse};

select_core::select_core() noexcept : operation(moves) { timer_node::fire = fire; }

const select_case* select_core::try_each(std::span<select_case> cases) noexcept {
  return first_of(cases, [](const select_case& each) {
    if (each.who == nullptr) return is_due(each);
    if (!each.moves->try_now(*each.who)) return false;
    each.who->phase = waiter::state::granted;
    return true;
  });
}

bool select_core::start(std::span<select_case> cases) noexcept {
  cases_ = cases;
  stopped_ = glance(*task_);
  if (stopped_ != stop_reason::none) return true;
  if (--task_->budget < 0) return false;  // suspend() gives way first.
  won_ = try_each(cases);
  return won_ != nullptr;
}

std::size_t select_core::winner() const {
  if (stopped_ != stop_reason::none) throw_stopped(stopped_, name);
  if (out_of_memory_) throw std::bad_alloc();
  return won_->index;
}

bool select_core::advance(operation& op, task_ctl& task, sched::processor& p) noexcept {
  select_core& self = as_select(op);
  // relaxed: the completion brings what was written before it.
  const void* taken_by = self.choice_.taken_by.load(std::memory_order_relaxed);
  if (taken_by != nullptr) {
    const auto is_it = [taken_by](const select_case& each) { return each.who == taken_by; };
    self.won_ = taken_by == static_cast<timer_node*>(&self)
                    ? self.earliest_
                    : &*std::find_if(self.cases_.begin(), self.cases_.end(), is_it);
    self.leave(taken_by);
    return true;
  }
  self.stopped_ = glance(task);
  if (self.stopped_ != stop_reason::none) return true;
  self.choice_.task = &task;
  return self.begin(p);
}

/// Steps 2 to 5. True if that is the end of it.
bool select_core::begin(sched::processor& p) noexcept {
  granted_list granted;
  {
    const all_locked locks(cases_);
    won_ = first_of(cases_, [&granted](const select_case& each) {
      if (each.who == nullptr) return is_due(each);
      if (!each.moves->take(*each.who, granted)) return false;
      each.who->phase = waiter::state::granted;
      return true;
    });
    if (won_ == nullptr) link_all();
  }
  granted.wake();
  return won_ != nullptr || set_earliest(p);
}

void select_core::link_all() noexcept {
  for (const select_case& each : cases_) {
    if (each.who == nullptr) continue;
    COVE_CHECK(each.who->phase == waiter::state::fresh, "an operation stands in a select twice");
    each.who->who = reinterpret_cast<std::uintptr_t>(&choice_) + 2;
    each.moves->link(*each.who);
  }
}

/// One timer serves all moments. True if there was no memory for it, and nothing had come.
bool select_core::set_earliest(sched::processor& p) noexcept {
  for (const select_case& each : cases_) {
    if (each.who != nullptr || each.due_ns == never_ns) continue;
    if (earliest_ == nullptr || each.due_ns < earliest_->due_ns) earliest_ = &each;
  }
  if (earliest_ == nullptr) return false;
  armed_on_ = set_timer(p, *task_, *this, earliest_->due_ns);
  if (armed_on_ != nullptr || !choice_.claim(this)) return false;
  leave(this);
  out_of_memory_ = true;
  return true;
}

/// Runs under the heap's lock.
void select_core::fire(timer_node& node, void* sink) noexcept {
  auto& self = static_cast<select_core&>(node);
  if (!self.choice_.claim(&node)) return;
  task_ctl& task = *self.task_;
  if (task.word.complete()) static_cast<task_list*>(sink)->push(task);
}

/// Step 7: all but the one that was granted.
void select_core::leave(const void* but) noexcept {
  if (armed_on_ != nullptr) std::exchange(armed_on_, nullptr)->timers.remove(*this);
  granted_list granted;
  for (const select_case& each : cases_) {
    if (each.who == nullptr || each.who == but) continue;
    const spin_guard guard(each.moves->lock(*each.who));
    static_cast<void>(each.moves->unlink(*each.who, granted));
  }
  granted.wake();
}

bool select_core::withdraw(operation& op, task_ctl&, sched::processor&) noexcept {
  select_core& self = as_select(op);
  if (!self.choice_.claim(&self)) return false;
  self.leave(&self);
  return true;
}

void select_core::refuse(operation& op, stop_reason why) noexcept { as_select(op).stopped_ = why; }

}  // namespace cove::detail
