#include "netpoll/uring_lane.hpp"

#include "clock.hpp"
#include "io_syscall.hpp"
#include "netpoll/poll_desc.hpp"
#include "netpoll/uring_accepts.hpp"
#include "netpoll/uring_label.hpp"
#include "netpoll/uring_message.hpp"

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/detail/buffer_cache.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

namespace cove::netpoll {
namespace {

using detail::io_kind;
using detail::io_op;

std::uint64_t label_of(tag about, const uring_record& record) noexcept {
  return label(about, record.number, record.sequence.load(std::memory_order_relaxed));
}

/// Does one request of the kernel's serve this record's operations?
bool accepts(const uring_record& record) noexcept {
  return record.accepts != nullptr && (record.op == nullptr || record.op->kind == io_kind::accept);
}

/// Tells threads apart, for nothing more than a system call that may be left out.
const void* this_thread() noexcept {
  static thread_local char mark;
  return &mark;
}

/// More than the kernel takes at once goes with the next round.
unsigned length_of(const io_op& op) noexcept {
  constexpr std::size_t most = 1U << 30;
  return static_cast<unsigned>(std::min(op.size, most));
}

unsigned readiness_of(const io_op& op) noexcept {
  return detail::direction_of(op.kind) == direction::write ? POLLOUT : POLLIN;
}

bool would_block(std::int32_t result) noexcept {
  return result == -EAGAIN || result == -EWOULDBLOCK || result == -EINTR;
}

}  // namespace

uring_lane::uring_lane(uring_table& table, const uring_lane_settings& chosen)
    : table_(table), chosen_(chosen), setup_(entries) {}

uring_lane::~uring_lane() {
  end_accepts();
  COVE_CHECK(first_ == nullptr, "a ring ended with operations listed");
}

// ----- arming and withdrawing -----

/// What an operation needs before it may be listed. False without memory.
bool uring_lane::furnish(uring_record& record, io_op& op) noexcept {
  if (op.vectored()) {
    if (record.message == nullptr) record.message.reset(new (std::nothrow) uring_message);
    return record.message != nullptr;
  }
  if (op.kind != io_kind::borrow) return true;
  op.size = detail::borrowed_bytes;
  op.buffer = nullptr;  // The kernel takes one of its own, when there is something to receive.
  if (setup_.features().modern && buffers_.make()) return true;
  op.buffer = detail::borrow_buffer();
  return op.buffer != nullptr;
}

void uring_lane::arm(uring_record& record, io_op& op) noexcept {
  if (!furnish(record, op)) {
    op.result = -ENOMEM;
    static_cast<void>(op.task_->word.complete());  // It is about to park, and will see it.
    return;
  }
  bool full = false;
  {
    const detail::spin_guard guard(lock_);
    record.lane = this;
    begin(record, op);
    list(record);
    full = unsent_.load(std::memory_order_relaxed) >= batch;
  }
  if (full) submit();
}

void uring_lane::begin(uring_record& record, io_op& op) noexcept {
  record.op = &op;
  record.sequence.fetch_add(1, std::memory_order_relaxed);
}

void uring_lane::withdraw(uring_record& record, io_op& op, bool hand_in) noexcept {
  harvest found;
  {
    const detail::spin_guard guard(lock_);
    if (record.op != &op || record.asked) return;
    if (accepts(record)) {
      finish(record, -ECANCELED, found);  // The kernel has nothing of it.
    } else {
      record.asked = true;
      if (!record.listed) list(record);
    }
  }
  // Its owner, who asks for this, is about to look.
  if (found.count != 0)
    static_cast<void>(op.task_->word.complete());
  else if (hand_in)
    submit();
}

void uring_lane::list(uring_record& record) noexcept {
  record.next = nullptr;
  record.listed = true;
  (last_ != nullptr ? last_->next : first_) = &record;
  last_ = &record;
  const unsigned unsent = unsent_.load(std::memory_order_relaxed);
  if (unsent == 0) since_ns_.store(detail::now_ns(), std::memory_order_relaxed);
  unsent_.store(unsent + 1, std::memory_order_relaxed);
}

/// Its operation has ended before a cancel was sent. The list is short: it goes out by the batch.
void uring_lane::unlist(uring_record& record) noexcept {
  uring_record* before = nullptr;
  for (uring_record* at = first_; at != &record; at = at->next) before = at;
  (before != nullptr ? before->next : first_) = record.next;
  if (last_ == &record) last_ = before;
  record.listed = false;
  unsent_.fetch_sub(1, std::memory_order_relaxed);
}

// ----- handing in -----

bool uring_lane::overdue() const noexcept {
  return unsent_.load(std::memory_order_relaxed) != 0 &&
         detail::now_ns() - since_ns_.load(std::memory_order_relaxed) >= chosen_.patience_ns;
}

void uring_lane::submit() noexcept {
  for (;;) {
    unsigned count = 0;
    bool more = false;
    {
      const detail::spin_guard guard(lock_);
      count = hand_over();
      more = first_ != nullptr;
    }
    if (count == 0) return;
    enter(count, 0);
    if (!more || held_up()) return;
  }
}

/// Entries of the submission queue that are free.
unsigned uring_lane::room() noexcept {
  const io_uring_sq& queue = setup_.ring().sq;
  // acquire: the kernel has read the entries that it says it has taken.
  return queue.ring_entries - (queue.sqe_tail - io_uring_smp_load_acquire(queue.khead));
}

io_uring_sqe* uring_lane::next_entry() noexcept { return ::io_uring_get_sqe(&setup_.ring()); }

/// Makes entries of what is listed, as far as there is room. Gives how many the kernel has not yet
/// taken.
unsigned uring_lane::hand_over() noexcept {
  while (first_ != nullptr && room() >= 2) {
    uring_record& record = *first_;
    first_ = record.next;
    if (first_ == nullptr) last_ = nullptr;
    record.listed = false;
    unsent_.fetch_sub(1, std::memory_order_relaxed);
    if (accepts(record)) {
      hand_over_accept(record);
      continue;
    }
    if (!record.handed) {
      prepare(*next_entry(), record);
      record.handed = true;
    }
    if (record.asked) prepare_cancel(*next_entry(), record);
  }
  return publish();
}

unsigned uring_lane::publish() noexcept {
  io_uring_sq& queue = setup_.ring().sq;
  // release: the entries are written before they are there.
  io_uring_smp_store_release(queue.ktail, queue.sqe_tail);
  return queue.ring_entries - room();
}

void uring_lane::enter(unsigned count, unsigned flags) noexcept {
  submitter_.store(this_thread(), std::memory_order_relaxed);
  do {
    const int taken = ::io_uring_enter(static_cast<unsigned>(fd()), count, 0, flags, nullptr);
    if (taken == -EINTR) continue;
    // EBUSY: completions must be collected first; EAGAIN: the kernel has no memory just now. The
    // entries stay where they are.
    held_up_.store(taken < 0, std::memory_order_relaxed);
    if (taken <= 0) return;
    count -= std::min(count, static_cast<unsigned>(taken));
  } while (count != 0);
}

void uring_lane::prepare(io_uring_sqe& entry, uring_record& record) noexcept {
  io_op& op = *record.op;
  const int fd = op.desc->fd;
  bool receives = false;
  if (record.waiting) {
    ::io_uring_prep_poll_add(&entry, fd, readiness_of(op));
  } else {
    switch (op.kind) {
      case io_kind::read:
      case io_kind::borrow:
      case io_kind::peek:
        ::io_uring_prep_recv(&entry, fd, op.buffer, length_of(op),
                             op.kind == io_kind::peek ? MSG_PEEK : 0);
        receives = true;
        if (op.kind == io_kind::borrow && op.buffer == nullptr) {
          entry.flags |= IOSQE_BUFFER_SELECT;
          entry.buf_group = uring_buffers::group;
        }
        break;
      case io_kind::read_v:
        record.message->parts.fill(op);
        ::io_uring_prep_recvmsg(&entry, fd, record.message->parts.message(), 0);
        receives = true;
        break;
      case io_kind::write:
        ::io_uring_prep_send(&entry, fd, op.buffer, length_of(op), MSG_NOSIGNAL);
        break;
      case io_kind::write_v:
        record.message->parts.fill(op);
        ::io_uring_prep_sendmsg(&entry, fd, record.message->parts.message(), MSG_NOSIGNAL);
        break;
      case io_kind::accept:
        ::io_uring_prep_accept(&entry, fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        break;
      case io_kind::connect:
      case io_kind::wait_in:
      case io_kind::wait_out: ::io_uring_prep_poll_add(&entry, fd, readiness_of(op)); break;
    }
  }
  // Who reads has usually had what there was: the kernel need not look before it waits.
  if (receives && !record.more && setup_.features().modern)
    entry.ioprio |= IORING_RECVSEND_POLL_FIRST;
  ::io_uring_sqe_set_data64(&entry, label_of(tag::operation, record));
}

void uring_lane::prepare_cancel(io_uring_sqe& entry, const uring_record& record) noexcept {
  ::io_uring_prep_cancel64(&entry, label_of(tag::operation, record), 0);
  ::io_uring_sqe_set_data64(&entry, label_of(tag::cancel, record));
}

void uring_lane::arm_bell() noexcept {
  if (bell_armed_ || room() == 0) return;
  io_uring_sqe& entry = *next_entry();
  ::io_uring_prep_poll_add(&entry, chosen_.bell.fd(), POLLIN);
  ::io_uring_sqe_set_data64(&entry, label(tag::bell, 0, 0));
  bell_armed_ = true;
}

bool uring_lane::wait(std::int64_t delay_ns, detail::task_list& ready) noexcept {
  if (unsent_.load(std::memory_order_relaxed) > batch) submit();
  unsigned count = 0;
  bool all = false;
  {
    const detail::spin_guard guard(lock_);
    arm_bell();
    count = hand_over();
    all = first_ == nullptr && bell_armed_;
  }
  __kernel_timespec limit{};
  io_uring_getevents_arg how{};
  how.sigmask_sz = _NSIG / 8;
  if (!all || held_up()) delay_ns = 0;  // There will be room once completions are collected.
  if (delay_ns >= 0) {
    limit.tv_sec = delay_ns / 1'000'000'000;
    limit.tv_nsec = delay_ns % 1'000'000'000;
    how.ts = reinterpret_cast<std::uintptr_t>(&limit);
  }
  submitter_.store(this_thread(), std::memory_order_relaxed);
  const int taken = ::io_uring_enter2(static_cast<unsigned>(fd()), count, 1,
                                      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                                      reinterpret_cast<sigset_t*>(&how), sizeof how);
  held_up_.store(taken < 0 && taken != -ETIME && taken != -EINTR, std::memory_order_relaxed);
  return collect(ready, true);
}

// ----- collecting -----

std::uint32_t uring_lane::kernel_flags() noexcept {
  return IO_URING_READ_ONCE(*setup_.ring().sq.kflags);
}

bool uring_lane::has_completions() noexcept {
  const io_uring_cq& queue = setup_.ring().cq;
  return IO_URING_READ_ONCE(*queue.khead) != io_uring_smp_load_acquire(queue.ktail);
}

/// True if the bell rang.
bool uring_lane::collect(detail::task_list& ready, bool waiter) noexcept {
  const std::uint32_t flags = kernel_flags();
  // Completions that did not fit come when they are asked for. Those that wait for the submitter
  // come by themselves, but sooner if that is who asks.
  if ((flags & IORING_SQ_CQ_OVERFLOW) != 0 ||
      ((flags & IORING_SQ_TASKRUN) != 0 &&
       submitter_.load(std::memory_order_relaxed) == this_thread()))
    enter(0, IORING_ENTER_GETEVENTS);
  if (!has_completions() || !lock_.try_lock()) return false;
  harvest found;
  unsigned unsent = 0;
  {
    const std::lock_guard guard(lock_, std::adopt_lock);
    take_in(found);
    // Somebody else's bell goes on ringing; and some operations must go round again.
    const bool rearm = found.bell && !waiter && chosen_.bell.in_use();
    if (rearm) arm_bell();
    if (rearm || first_ != nullptr) unsent = hand_over();
  }
  if (unsent != 0) enter(unsent, 0);
  for (unsigned i = 0; i < found.count; ++i) {
    detail::task_ctl& task = *found.ended[i]->task_;
    // From here on the operation belongs to its task again, and may be gone.
    if (task.word.complete()) ready.push(task);
  }
  for (unsigned i = 0; i < found.closed_count; ++i) {
    poll_desc& desc = *found.closed[i];
    table_.at(desc.index, direction::read).accepts.reset();  // Closes what was kept.
    if (detail::task_ctl* task = chosen_.closed(desc); task != nullptr) ready.push(*task);
  }
  return found.bell;
}

void uring_lane::take_in(harvest& found) noexcept {
  io_uring_cq& queue = setup_.ring().cq;
  unsigned head = *queue.khead;
  // acquire: pairs with the kernel's release of what it has written.
  const unsigned tail = io_uring_smp_load_acquire(queue.ktail);
  for (; head != tail && found.count < collected_max; ++head)
    absorb(queue.cqes[head & queue.ring_mask], found);
  // release: they have been read.
  io_uring_smp_store_release(queue.khead, head);
}

void uring_lane::absorb(const io_uring_cqe& said, harvest& found) noexcept {
  if (tag_of(said.user_data) == tag::bell) {
    bell_armed_ = false;
    found.bell = true;
    return;
  }
  if (tag_of(said.user_data) == tag::nobody) return;
  uring_record& record = table_.at(record_of(said.user_data));
  if (tag_of(said.user_data) == tag::accept) return absorb_accept(said, record, found);
  // An equal sequence says that it is armed, and so armed here.
  if (record.sequence.load(std::memory_order_relaxed) != sequence_of(said.user_data)) return;
  if (tag_of(said.user_data) == tag::operation) {
    absorb_operation(said, record, found);
  } else if ((said.res == -ENOENT || said.res == -EALREADY) && !record.listed) {
    list(record);  // Not found, and yet not ended: once more.
  }
}

void uring_lane::absorb_operation(const io_uring_cqe& said, uring_record& record,
                                  harvest& found) noexcept {
  record.handed = false;
  std::int64_t result = said.res;
  if ((said.flags & IORING_CQE_F_BUFFER) != 0) {
    record.op->buffer = buffers_.take(said.flags);
  } else if (result == -ENOBUFS && record.op->kind == io_kind::borrow) {
    // All were taken just then: better one of its own than to wait for others to give theirs back.
    record.op->buffer = detail::borrow_buffer();
    if (record.op->buffer != nullptr) return again(record);
    result = -ENOMEM;
  }
  const bool waited = std::exchange(record.waiting, false);
  if (waited && result >= 0) return again(record);
  if (!waited && would_block(said.res)) {
    record.waiting = said.res != -EINTR;
    return again(record);
  }
  switch (record.op->kind) {
    case io_kind::connect:
      if (result >= 0) result = detail::call_once(*record.op, record.op->desc->fd);
      if (result == -EINPROGRESS) return again(record);
      break;
    case io_kind::wait_in:
    case io_kind::wait_out: result = std::min<std::int64_t>(result, 1); break;
    default: record.more = (said.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0; break;
  }
  finish(record, result, found);
}

void uring_lane::again(uring_record& record) noexcept {
  if (!record.listed) list(record);
}

void uring_lane::finish(uring_record& record, std::int64_t result, harvest& found) noexcept {
  io_op& op = *record.op;
  if (op.kind == io_kind::borrow && result <= 0 && op.buffer != nullptr) {
    detail::return_buffer(op.buffer);
    op.buffer = nullptr;
  }
  if (record.listed) unlist(record);
  record.op = nullptr;
  record.asked = false;
  record.sequence.fetch_add(1, std::memory_order_relaxed);
  op.result = static_cast<std::int32_t>(result);
  found.ended[found.count++] = &op;
}

}  // namespace cove::netpoll
