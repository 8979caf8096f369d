#include <cove/runtime/detail/wait_list.hpp>

#include <cove/runtime/error.hpp>

#include "sched/parker.hpp"

namespace cove::detail {

// The two lowest bits of waiter::who say what it is.
static_assert(alignof(task_ctl) >= 4 && alignof(choice) >= 4 && alignof(sched::parker) >= 4);

void wait_list::push_back(waiter& which) noexcept {
  COVE_ASSERT(which.phase == waiter::state::fresh);
  which.phase = waiter::state::waiting;
  which.previous = last_;
  which.next = nullptr;
  (last_ != nullptr ? last_->next : first_) = &which;
  last_ = &which;
}

void wait_list::push_front(waiter& which) noexcept {
  COVE_ASSERT(which.phase == waiter::state::fresh);
  which.phase = waiter::state::waiting;
  which.previous = nullptr;
  which.next = first_;
  (first_ != nullptr ? first_->previous : last_) = &which;
  first_ = &which;
}

void wait_list::unlink(waiter& which) noexcept {
  COVE_ASSERT(which.phase == waiter::state::waiting);
  (which.previous != nullptr ? which.previous->next : first_) = which.next;
  (which.next != nullptr ? which.next->previous : last_) = which.previous;
  which.previous = which.next = nullptr;
}

bool wait_list::grant(waiter& which) noexcept {
  unlink(which);
  choice* shared = which.of_choice();
  const bool granted = shared == nullptr || shared->claim(&which);
  which.phase = granted ? waiter::state::granted : waiter::state::fresh;
  return granted;
}

waiter* wait_list::grant_front() noexcept {
  while (waiter* which = first_)
    if (grant(*which)) return which;
  return nullptr;
}

void wait_list::grant_all(granted_list& granted) noexcept {
  while (waiter* each = grant_front()) granted.push(*each);
}

bool wait_list::withdraw(waiter& which) noexcept {
  if (which.phase != waiter::state::waiting) return false;
  unlink(which);
  which.phase = waiter::state::fresh;
  return true;
}

void granted_list::push(waiter& which) noexcept {
  COVE_ASSERT(which.phase == waiter::state::granted);
  which.next = nullptr;
  (last_ != nullptr ? last_->next : first_) = &which;
  last_ = &which;
}

void granted_list::wake() noexcept {
  const bool alone = first_ == last_;
  while (first_ != nullptr) {
    waiter& which = *first_;
    first_ = which.next;  // Read before it may go on.
    detail::wake(which, alone);
  }
  last_ = nullptr;
}

void wake(waiter& granted, bool next) noexcept {
  const std::uintptr_t who = granted.who;
  if ((who & 1) != 0) return reinterpret_cast<sched::parker*>(who - 1)->unpark();
  const choice* shared = granted.of_choice();
  task_ctl& task = shared != nullptr ? *shared->task : *reinterpret_cast<task_ctl*>(who);
  if (task.word.complete()) make_ready(task, next);
}

void wait_as_thread(waiter& which, bool (*begin)(waiter&) noexcept) {
  if (current_task() != nullptr)
    throw_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                std::string("blocking ") + which.name + " inside a task",
                "co_await instead: the worker would wait for itself");
  sched::parker sleep;
  which.who = reinterpret_cast<std::uintptr_t>(&sleep) + 1;
  if (!begin(which)) sleep.park();
}

}  // namespace cove::detail
