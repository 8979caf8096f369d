#include "descriptor.hpp"

#include "io_deadline.hpp"
#include "io_syscall.hpp"
#include "netpoll/backend.hpp"
#include "netpoll/desc_table.hpp"
#include "state.hpp"

#include <cove/runtime/detail/descriptor.hpp>

#include <thread>

// The life of a descriptor, and its end.
//
//   closing   1. whoever wants to wait for it registers (closer)
//             2. the gate is closed: nobody enters any more
//             3. evict: tasks that stand in the slots or in the queue are told
//             4. the last operation out, or the closer if nobody was inside, shuts: the timers of
//                its deadlines are taken out, the poller forgets the number (which may take until
//                the kernel has), the number goes back to the system, the closer is told
//   handle    5. whoever comes second, the shutting or the end of the handle, recycles the poll
//                descriptor
//
// Arming against closing: an operation stores its task in the slot and then looks whether the gate
// is closed; a closer closes the gate and then looks into the slots (both seq_cst). One sees the
// other.

namespace cove::detail {
namespace {

using netpoll::direction;
using netpoll::poll_desc;

/// Step 3, one slot. Readiness: whoever removes the task from the slot owes it the completion.
void evict_ready(poll_desc& desc, direction d) noexcept {
  if (task_ctl* task = desc.at(d).evict(); task != nullptr)
    if (task->word.complete(parking_word::closed)) make_ready(*task, false);
}

/// Completion backends: the kernel still uses the operation, so its task is only asked; it then
/// cancels the operation itself.
void evict_asking(poll_desc& desc, direction d) noexcept {
  netpoll::slot& slot = desc.at(d);
  task_ctl* task = slot.borrow();
  if (task == nullptr) return;
  const bool claimed = task->word.ask(parking_word::closed);
  slot.give_back(*task);
  if (claimed) make_ready(*task, false);
}

void evict_queue(poll_desc& desc) noexcept {
  io_op* first = nullptr;
  {
    const spin_guard queue(desc.queue_lock);
    first = std::exchange(desc.queue_first, nullptr);
    desc.queue_last = nullptr;
  }
  while (first != nullptr) {
    io_op* op = first;
    first = op->queue_next;  // Read before the task may go on.
    if (op->task_->word.complete(parking_word::closed)) make_ready(*op->task_, false);
  }
}

void evict(poll_desc& desc, bool completes) noexcept {
  for (const direction d : {direction::read, direction::write})
    completes ? evict_asking(desc, d) : evict_ready(desc, d);
  evict_queue(desc);
}

/// Nobody names it any more.
void recycle(poll_desc& desc) noexcept {
  delete desc.deadlines.exchange(nullptr, std::memory_order_acquire);
  desc.table->recycle(desc);
}

bool advance_close(operation& base, task_ctl& task, sched::processor&) noexcept {
  auto& op = static_cast<close_op&>(base);
  if (op.started) return true;
  op.started = true;
  return op.on->begin_close(op, task);
}

const operation_type close_type{
    "close", advance_close,
    // Never asked: the wait is masked.
    [](operation&, task_ctl&, sched::processor&) noexcept { return false; },
    [](operation&, stop_reason) noexcept {}};

}  // namespace

close_op::close_op(descriptor& which) noexcept : operation(close_type, true), on(&which) {}

void shut_descriptor(poll_desc& desc) noexcept {
  disarm_deadlines(desc);
  if (!desc.table->unwatch(desc)) return;
  if (task_ctl* closer = give_back(desc); closer != nullptr) make_ready(*closer, true);
}

task_ctl* give_back(poll_desc& desc) noexcept {
  const std::error_code said = desc.released ? std::error_code() : close_number(desc.fd);
  task_ctl* woken = nullptr;
  // acq_rel: acquires the waiting operation; nobody else gets it.
  if (close_op* waiting = desc.closer.exchange(nullptr, std::memory_order_acq_rel);
      waiting != nullptr) {
    task_ctl& task = *waiting->task;
    waiting->error = said;
    if (task.word.complete()) woken = &task;
  }
  if (desc.access.shut_done()) recycle(desc);
  return woken;
}

std::string wrong_runtime_remedy(const io_op& op) {
  return "the handle belongs to runtime \"" + op.desc->table->owner() +
         "\", whose task awaited on it first; this task runs in \"" +
         op.task_->runtime->options.name + "\"";
}

std::string too_high_remedy(int fd) {
  const netpoll::backend& refuses = current_task()->runtime->scheduler.poller();
  return "it is number " + std::to_string(fd) + ", and " + refuses.name() +
         " watches those below " + std::to_string(refuses.limit()) +
         "; choose another backend (runtime_options::backend or COVE_BACKEND)";
}

descriptor::descriptor(descriptor&& other) noexcept
    : word_(other.word_.exchange(closed, std::memory_order_acq_rel)),
      ends_(other.ends_),
      deadlines_(std::exchange(other.deadlines_, nullptr)),
      fd_(other.fd_),
      kind_(other.kind_) {
  COVE_ASSERT(word_.load(std::memory_order_relaxed) != occupied);
}

descriptor& descriptor::operator=(descriptor&& other) noexcept {
  if (this != &other) {
    drop();
    word_.store(other.word_.exchange(closed, std::memory_order_acq_rel), std::memory_order_release);
    ends_ = other.ends_;
    deadlines_ = std::exchange(other.deadlines_, nullptr);
    fd_ = other.fd_;
    kind_ = other.kind_;
  }
  return *this;
}

poll_desc* descriptor::attached() const noexcept {
  // acquire: pairs with the release of the task that attached it.
  const std::uintptr_t word = word_.load(std::memory_order_acquire);
  return word > closed ? reinterpret_cast<poll_desc*>(word) : nullptr;
}

poll_desc* descriptor::attach(task_ctl& task, io_op& why) noexcept {
  poll_desc* desc = attached();
  if (desc == nullptr) desc = attach_slowly(task, why);
  if (desc != nullptr && desc->table != &task.runtime->descriptors) {
    why.wrong = io_op::fault::wrong_runtime;
    why.desc = desc;
    return nullptr;
  }
  return desc;
}

std::uintptr_t descriptor::occupy() noexcept {
  for (bool waits = false;;) {
    // acquire: pairs with the release of the one who had it before, or of who attached it.
    std::uintptr_t word = word_.load(std::memory_order_acquire);
    // relaxed: a courtesy. Without it one who comes again and again would keep the others out.
    const bool my_turn = waits || waiting_.load(std::memory_order_relaxed) == 0;
    if (word >= closed ||
        (word == fresh && my_turn &&
         word_.compare_exchange_strong(word, occupied, std::memory_order_acquire))) {
      if (waits) waiting_.fetch_sub(1, std::memory_order_relaxed);
      return word;
    }
    if (!std::exchange(waits, true)) waiting_.fetch_add(1, std::memory_order_relaxed);
    std::this_thread::yield();  // The other one is in a system call that does not wait.
  }
}

poll_desc* descriptor::attach_slowly(task_ctl& task, io_op& why) noexcept {
  const std::uintptr_t word = occupy();
  if (word == closed) {
    why.stopped = stop_reason::closed;
    return nullptr;
  }
  if (word != fresh) return reinterpret_cast<poll_desc*>(word);
  poll_desc* desc = task.runtime->descriptors.take();
  if (desc == nullptr) {
    word_.store(fresh, std::memory_order_release);
    why.wrong = io_op::fault::no_memory;
    return nullptr;
  }
  desc->fd = fd_;
  desc->kind = kind_;
  desc->completes = task.runtime->model == netpoll::model::completion;
  desc->ends = ends_;
  if (const std::error_code failed = task.runtime->scheduler.poller().open(*desc); failed) {
    recycle(*desc);
    word_.store(fresh, std::memory_order_release);
    if (failed == errc::descriptor_too_high)
      why.wrong = io_op::fault::too_high;
    else
      why.error = failed.value();
    return nullptr;
  }
  if (deadlines_ != nullptr) {
    deadlines_->attach(*desc);
    // relaxed: goes with the word.
    desc->deadlines.store(std::exchange(deadlines_, nullptr), std::memory_order_relaxed);
  }
  // release: pairs with attached().
  word_.store(reinterpret_cast<std::uintptr_t>(desc), std::memory_order_release);
  return desc;
}

bool descriptor::begin_close(close_op& op, task_ctl& task) noexcept {
  const std::uintptr_t word = occupy();
  if (word == fresh) {
    word_.store(closed, std::memory_order_release);
    op.error = close_number(fd_);
    return true;
  }
  if (word == closed) {
    op.error = errc::closed;
    return true;
  }
  auto* desc = reinterpret_cast<poll_desc*>(word);
  op.task = &task;
  close_op* nobody = nullptr;
  // Step 1 before step 2: who shuts must find us. acq_rel: publishes the operation.
  if (!desc->closer.compare_exchange_strong(nobody, &op, std::memory_order_acq_rel)) {
    op.error = errc::closed;
    return true;
  }
  const netpoll::gate::closing now = desc->access.close();
  if (!now.first) {
    // An abort was first. Whoever shuts after it may have found us by now: then that completes us,
    // and says how it went. relaxed: nothing of ours was read.
    close_op* mine = &op;
    if (!desc->closer.compare_exchange_strong(mine, nullptr, std::memory_order_relaxed))
      return false;
    op.error = errc::closed;
    return true;
  }
  evict(*desc, desc->completes);
  // From here on the last operation out may complete us at any time; nothing of `op` is touched.
  if (now.shut) shut_descriptor(*desc);
  return false;
}

bool descriptor::is_closed() const noexcept {
  const std::uintptr_t word = word_.load(std::memory_order_acquire);
  if (word <= closed) return word == closed;
  return reinterpret_cast<poll_desc*>(word)->access.is_closed();
}

bool descriptor::enter(poll_desc*& held) noexcept {
  const std::uintptr_t word = occupy();
  if (word <= closed) return word == fresh;
  auto* desc = reinterpret_cast<poll_desc*>(word);
  if (desc->access.enter() != netpoll::gate::entry::entered) return false;
  held = desc;
  return true;
}

void descriptor::leave(poll_desc* held) noexcept {
  if (held == nullptr)
    word_.store(fresh, std::memory_order_release);
  else if (held->access.leave())
    shut_descriptor(*held);
}

stream_ends& descriptor::ends() noexcept {
  poll_desc* desc = attached();
  return desc != nullptr ? desc->ends : ends_;
}

/// No runtime knows it yet: a poll descriptor for the length of the call.
bool descriptor::try_bare(io_op& op) noexcept {
  if (deadlines_ != nullptr && deadlines_->at(direction_of(op.kind)).passed()) {
    op.stopped = stop_reason::deadline;
    return true;
  }
  poll_desc passing;
  passing.fd = fd_;
  passing.kind = kind_;
  passing.ends = ends_;
  const bool ready = ends_already(op, passing) || perform(op, passing) != step::would_block;
  ends_ = passing.ends;
  return ready;
}

/// The caller holds the direction.
bool descriptor::try_attached(io_op& op, poll_desc& desc) noexcept {
  const direction d = direction_of(op.kind);
  if (const io_deadline* limit = deadline_of(desc, d); limit != nullptr && limit->passed()) {
    op.stopped = stop_reason::deadline;
    return true;
  }
  if (!desc.completes) desc.at(d).prepare();
  desc.drained_at(d) = false;
  return ends_already(op, desc) || perform(op, desc) != step::would_block;
}

bool descriptor::try_now(io_op& op) noexcept {
  const std::uintptr_t word = occupy();
  if (word == closed) return op.stopped = stop_reason::closed, true;
  if (word == fresh) {
    const bool ready = try_bare(op);
    word_.store(fresh, std::memory_order_release);
    return ready;
  }
  auto* desc = reinterpret_cast<poll_desc*>(word);
  const direction d = direction_of(op.kind);
  switch (desc->access.enter(d)) {
    case netpoll::gate::entry::entered: break;
    case netpoll::gate::entry::busy: op.wrong = io_op::fault::busy; return true;
    case netpoll::gate::entry::closed: op.stopped = stop_reason::closed; return true;
  }
  const bool ready = try_attached(op, *desc);
  if (desc->access.leave(d)) shut_descriptor(*desc);
  return ready;
}

void descriptor::close_now() noexcept {
  const std::uintptr_t word = occupy();
  if (word == fresh) {
    word_.store(closed, std::memory_order_release);
    static_cast<void>(close_number(fd_));  // Nobody is there to be told.
    return;
  }
  if (word != closed) close_attached(*reinterpret_cast<poll_desc*>(word));
}

void descriptor::close_attached(poll_desc& desc) noexcept {
  const netpoll::gate::closing now = desc.access.close();
  if (!now.first) return;
  if (now.shut)
    shut_descriptor(desc);
  else
    evict(desc, desc.completes);
}

result<int> descriptor::release() noexcept {
  const std::uintptr_t word = occupy();
  if (word == closed) return errc::closed;
  if (word != fresh) return release_attached(*reinterpret_cast<poll_desc*>(word));
  word_.store(closed, std::memory_order_release);
  return fd_;
}

result<int> descriptor::release_attached(poll_desc& desc) noexcept {
  int kept = fd_;
  // A ring may have to take back what it waits for on its own account, and keeps the number
  // meanwhile: then it is another number for the same thing that goes out.
  const bool lingers = desc.completes && kind_ == descriptor_kind::socket;
  if (lingers) {
    const result<int> another = duplicate_number(fd_);
    if (!another) return another;
    kept = *another;
  }
  const netpoll::gate::entry now = desc.access.close_idle();
  if (now != netpoll::gate::entry::entered) {
    if (lingers) static_cast<void>(close_number(kept));  // Nothing has happened.
    return now == netpoll::gate::entry::busy ? errc::operation_in_progress : errc::closed;
  }
  desc.released = !lingers;
  shut_descriptor(desc);
  return kept;
}

void descriptor::drop() noexcept {
  const std::uintptr_t word = word_.exchange(closed, std::memory_order_acq_rel);
  delete std::exchange(deadlines_, nullptr);
  if (word == closed) return;
  if (word == fresh) {
    static_cast<void>(close_number(fd_));  // Nobody is there to be told.
    return;
  }
  poll_desc& desc = *reinterpret_cast<poll_desc*>(word);
  close_attached(desc);
  if (desc.access.let_go()) recycle(desc);
}

}  // namespace cove::detail
