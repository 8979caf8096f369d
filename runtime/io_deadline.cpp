#include "io_deadline.hpp"

#include "clock.hpp"
#include "netpoll/desc_table.hpp"

#include <cove/runtime/detail/descriptor.hpp>

#include <array>
#include <memory>

namespace cove::detail {
namespace {

using netpoll::direction;
using netpoll::poll_desc;

constexpr std::array every_direction{direction::read, direction::write};

bool is_for(deadline_for whose, direction d) noexcept {
  const auto mine = d == direction::read ? deadline_for::reads : deadline_for::writes;
  return whose == mine || whose == deadline_for::both;
}

/// Those of an attached descriptor; nullptr without memory.
io_deadlines* deadlines_of(poll_desc& desc) noexcept {
  // seq_cst: it is the first part of "set", step 1, of io_deadline.hpp.
  io_deadlines* there = desc.deadlines.load(std::memory_order_seq_cst);
  if (there != nullptr) return there;
  std::unique_ptr<io_deadlines> made(new (std::nothrow) io_deadlines);
  if (made == nullptr) return nullptr;
  made->attach(desc);
  // seq_cst: as above; acquires what another one made.
  if (desc.deadlines.compare_exchange_strong(there, made.get(), std::memory_order_seq_cst))
    return made.release();
  return there;
}

}  // namespace

bool io_deadline::passed() const noexcept {
  // relaxed: only the value counts. Who was roused because of it reads it after the rousing.
  const std::int64_t when = when_.load(std::memory_order_relaxed);
  return when != never_ns && now_ns() >= when;
}

task_ctl* io_deadline::set(std::int64_t moment_ns) noexcept {
  // seq_cst: "set", steps 1 and 2, against "wait" and "fire".
  when_.store(moment_ns, std::memory_order_seq_cst);
  if (desc_ == nullptr || armed_.load(std::memory_order_seq_cst) <= moment_ns) return nullptr;
  return rouse();
}

io_deadline::watch io_deadline::wait_on(sched::timer_heap& own) noexcept {
  watch outcome = watch::set;
  for (;;) {
    // seq_cst: "wait", steps 2 and 3, against "set" and "fire".
    const std::int64_t when = when_.load(std::memory_order_seq_cst);
    if (armed_.load(std::memory_order_seq_cst) <= when) return outcome;
    disarm();
    heap_ = &own;
    // Before it is in the heap: from then on fire() may write it. seq_cst: "wait", step 3.
    armed_.store(when, std::memory_order_seq_cst);
    try {
      if (own.insert(*this, when)) outcome = watch::sooner;
    } catch (const std::bad_alloc&) {
      armed_.store(never_ns, std::memory_order_seq_cst);
      return watch::no_memory;
    }
  }
}

void io_deadline::disarm() noexcept {
  if (heap_ != nullptr) heap_->remove(*this);
}

void io_deadline::fired(timer_node& node, void* sink) noexcept {
  auto& self = static_cast<io_deadline&>(node);
  // seq_cst throughout: "fire", against "set" and "wait".
  std::int64_t when = self.when_.load(std::memory_order_seq_cst);
  while (when > node.when_ns) {
    self.armed_.store(when, std::memory_order_seq_cst);
    const std::int64_t again = self.when_.load(std::memory_order_seq_cst);
    if (again >= when) {
      if (when != never_ns) self.heap_->reinsert(node, when);
      return;
    }
    when = again;
  }
  self.armed_.store(never_ns, std::memory_order_seq_cst);  // seq_cst: step 1, before the slot.
  if (task_ctl* task = self.rouse(); task != nullptr) static_cast<task_list*>(sink)->push(*task);
}

/// Gives the task if the caller has to schedule it.
task_ctl* io_deadline::rouse() noexcept {
  netpoll::slot& slot = desc_->at(side_);
  if (!desc_->completes) {
    task_ctl* task = slot.evict();
    return task != nullptr && task->word.complete() ? task : nullptr;
  }
  task_ctl* task = slot.borrow();
  if (task == nullptr) return nullptr;
  const bool claimed = task->word.ask(parking_word::deadline);
  slot.give_back(*task);
  return claimed ? task : nullptr;
}

void disarm_deadlines(poll_desc& desc) noexcept {
  // acquire: pairs with the release of who set the first one.
  io_deadlines* both = desc.deadlines.load(std::memory_order_acquire);
  if (both == nullptr) return;
  const auto disarm = [both] {
    for (io_deadline& each : both->sides) each.disarm();
  };
  desc.table->while_serving(disarm);
}

// ----- the descriptor's side -----

std::error_code descriptor::set_deadline(deadline_for whose, std::int64_t when_ns) noexcept {
  const std::uintptr_t word = occupy();
  if (word == closed) return make_error_code(errc::closed);
  if (word == fresh) {
    const std::error_code said = set_bare_deadline(whose, when_ns);
    word_.store(fresh, std::memory_order_release);
    return said;
  }
  poll_desc& desc = *reinterpret_cast<poll_desc*>(word);
  if (desc.access.is_closed()) return make_error_code(errc::closed);
  io_deadlines* both = deadlines_of(desc);
  if (both == nullptr) return std::make_error_code(std::errc::not_enough_memory);
  for (const direction d : every_direction)
    if (is_for(whose, d))
      if (task_ctl* task = both->at(d).set(when_ns); task != nullptr) make_ready(*task, false);
  return {};
}

/// No runtime knows it yet, and nobody waits: the first operation will look.
std::error_code descriptor::set_bare_deadline(deadline_for whose, std::int64_t when_ns) noexcept {
  if (deadlines_ == nullptr) deadlines_ = new (std::nothrow) io_deadlines;
  if (deadlines_ == nullptr) return std::make_error_code(std::errc::not_enough_memory);
  for (const direction d : every_direction)
    if (is_for(whose, d)) static_cast<void>(deadlines_->at(d).set(when_ns));
  return {};
}

}  // namespace cove::detail
