#include "netpoll/uring_lane.hpp"

#include "io_syscall.hpp"
#include "netpoll/poll_desc.hpp"
#include "netpoll/uring_accepts.hpp"
#include "netpoll/uring_label.hpp"

#include <cove/runtime/detail/buffer_cache.hpp>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

// What comes back from the kernel, and whose it is.

namespace cove::netpoll {

using detail::io_kind;
using detail::io_op;

namespace {

bool would_block(std::int32_t result) noexcept {
  return result == -EAGAIN || result == -EWOULDBLOCK || result == -EINTR;
}

}  // namespace

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
  if ((flags & IORING_SQ_CQ_OVERFLOW) != 0 || ((flags & IORING_SQ_TASKRUN) != 0 && is_submitter()))
    static_cast<void>(enter(0, IORING_ENTER_GETEVENTS));
  if (!has_completions() || !lock_.try_lock()) return false;
  harvest found;
  unsigned unsent = 0;
  {
    const std::lock_guard guard(lock_, std::adopt_lock);
    take_in(found);
    // Somebody else's bell goes on ringing; and some operations must go round again.
    const bool rearm = found.bell && !waiter && chosen_.bell.in_use();
    if (rearm) arm_bell();
    if (rearm || !none_listed()) unsent = hand_over();
  }
  if (unsent != 0 && !enter(unsent, 0)) chosen_.bell.wake();
  for (unsigned i = 0; i < found.count; ++i) {
    detail::task_ctl& task = *found.ended[i];
    // From here on its operation belongs to it again, and may be gone.
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
  for (; head != tail && found.count < collected_max && found.closed_count < collected_max; ++head)
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
  if (tag_of(said.user_data) == tag::call) return absorb_call(said, found);
  uring_record& record = table_.at(record_of(said.user_data));
  if (tag_of(said.user_data) == tag::accept) return absorb_accept(said, record, found);
  if (tag_of(said.user_data) == tag::stop) return absorb_stop(said, record);
  // An equal sequence says that it is armed, and so armed here.
  if (record.sequence.load(std::memory_order_relaxed) != sequence_of(said.user_data)) return;
  if (tag_of(said.user_data) == tag::operation) {
    absorb_operation(said, record, found);
  } else if ((said.res == -ENOENT || said.res == -EALREADY) && !record.listed) {
    list(record);  // Not found, and yet not ended: once more.
  }
}

void uring_lane::absorb_call(const io_uring_cqe& said, harvest& found) noexcept {
  bool listed = false;
  const detail::ring_call* ended = calls_.absorb(said, listed);
  if (ended != nullptr) {
    if (listed) count_unlisted();  // Its cancel is not needed any more.
    count_ended();
    found.ended[found.count++] = ended->task;
  } else if (listed) {
    count_listed();
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
  if (detail::made_by_worker(*record.op, *record.op->desc))
    return finish(record, std::min<std::int64_t>(result, 1), found);
  if (record.op->kind == io_kind::connect) {
    if (result >= 0) result = detail::call_once(*record.op, *record.op->desc);
    if (result == -EINPROGRESS) return again(record);
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
  found.ended[found.count++] = op.task_;
}

}  // namespace cove::netpoll
