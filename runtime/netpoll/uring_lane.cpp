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

/// A ring that is asked for POLLPRI alone is not woken: it takes that for a flag of its own
/// (IO_ASYNC_POLL_COMMON). Urgent bytes come with POLLRDBAND, too; so does the news of any others,
/// and then the worker finds that it has to wait on.
unsigned readiness_of(const io_op& op) noexcept {
  const auto events = static_cast<unsigned>(detail::poll_events_of(op.kind));
  return events == POLLPRI ? POLLPRI | POLLRDBAND : events;
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
  if (detail::made_by_worker(op, *op.desc)) return true;
  if (op.vectored()) {
    if (record.message == nullptr) record.message.reset(new (std::nothrow) uring_message);
    return record.message != nullptr;
  }
  if (op.kind != io_kind::borrow) return true;
  op.size = detail::borrowed_bytes;
  op.buffer = nullptr;  // The kernel takes one of its own, when there is something to receive.
  if (setup_.modern() && buffers_.make()) return true;
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
  count_listed();
}

void uring_lane::count_listed() noexcept {
  const unsigned unsent = unsent_.load(std::memory_order_relaxed);
  if (unsent == 0) since_ns_.store(detail::now_ns(), std::memory_order_relaxed);
  unsent_.store(unsent + 1, std::memory_order_relaxed);
}

void uring_lane::count_unlisted() noexcept { unsent_.fetch_sub(1, std::memory_order_relaxed); }

/// Its operation has ended before a cancel was sent. The list is short: it goes out by the batch.
void uring_lane::unlist(uring_record& record) noexcept {
  uring_record* before = nullptr;
  for (uring_record* at = first_; at != &record; at = at->next) before = at;
  (before != nullptr ? before->next : first_) = record.next;
  if (last_ == &record) last_ = before;
  record.listed = false;
  count_unlisted();
}

// ----- calls about files -----

bool uring_lane::arm(detail::ring_call& call) noexcept {
  if (!setup_.knows(call.verb)) return false;
  bool full = false;
  for (std::unique_ptr<uring_calls::chunk> more;;) {
    {
      const detail::spin_guard guard(lock_);
      if (more != nullptr && !calls_.add(std::move(more))) return false;
      if (calls_.has_room()) {
        calls_.arm(call);
        count_listed();
        calls_out_.fetch_add(1, std::memory_order_relaxed);
        full = unsent_.load(std::memory_order_relaxed) >= batch;
        break;
      }
    }
    more = uring_calls::grow();
    if (more == nullptr) return false;
  }
  if (full) submit();
  return true;
}

void uring_lane::count_ended() noexcept { calls_out_.fetch_sub(1, std::memory_order_relaxed); }

bool uring_lane::withdraw(detail::ring_call& call, bool hand_in) noexcept {
  {
    const detail::spin_guard guard(lock_);
    switch (calls_.withdraw(call)) {
      case uring_calls::withdrawn::taken_back:
        count_unlisted();
        count_ended();
        return true;
      case uring_calls::withdrawn::nothing: return false;
      case uring_calls::withdrawn::listed: count_listed();
    }
  }
  if (hand_in) submit();
  return false;
}

// ----- handing in -----

bool uring_lane::overdue() const noexcept {
  return unsent_.load(std::memory_order_relaxed) != 0 &&
         detail::now_ns() - since_ns_.load(std::memory_order_relaxed) >= chosen_.patience_ns;
}

bool uring_lane::try_submit() noexcept {
  for (;;) {
    unsigned count = 0;
    bool more = false;
    {
      const detail::spin_guard guard(lock_);
      count = hand_over();
      more = !none_listed();
    }
    if (count == 0) return true;
    if (!enter(count, 0)) return false;
    if (!more) return true;
  }
}

/// What the queue itself says. A flag would be set by whoever was refused and cleared by whoever
/// was not, in any order.
bool uring_lane::held_up() noexcept {
  const io_uring_sq& queue = setup_.ring().sq;
  // acquire: pairs with publish(), so that a submit() which follows sees as much.
  return io_uring_smp_load_acquire(queue.ktail) != io_uring_smp_load_acquire(queue.khead);
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
    count_unlisted();
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
  for (; !calls_.none_listed() && room() != 0; count_unlisted()) calls_.next(*next_entry());
  return publish();
}

unsigned uring_lane::publish() noexcept {
  io_uring_sq& queue = setup_.ring().sq;
  // release: the entries are written before they are there.
  io_uring_smp_store_release(queue.ktail, queue.sqe_tail);
  return queue.ring_entries - room();
}

/// relaxed: a guess, to leave a call out.
bool uring_lane::is_submitter() const noexcept {
  return submitter_.load(std::memory_order_relaxed) == this_thread();
}

/// False if the kernel refused to take more.
bool uring_lane::enter(unsigned count, unsigned flags) noexcept {
  if (count != 0) submitter_.store(this_thread(), std::memory_order_relaxed);
  do {
    const int taken = ::io_uring_enter(static_cast<unsigned>(fd()), count, 0, flags, nullptr);
    if (taken == -EINTR) continue;
    // EBUSY: completions must be collected first; EAGAIN: the kernel has no memory just now. The
    // entries stay where they are.
    if (taken <= 0) return taken == 0;
    count -= std::min(count, static_cast<unsigned>(taken));
  } while (count != 0);
  return true;
}

void uring_lane::prepare(io_uring_sqe& entry, uring_record& record) noexcept {
  io_op& op = *record.op;
  const int fd = op.desc->fd;
  if (record.waiting || detail::made_by_worker(op, *op.desc)) {
    ::io_uring_prep_poll_add(&entry, fd, readiness_of(op));
  } else {
    switch (op.kind) {
      case io_kind::read:
      case io_kind::borrow:
      case io_kind::peek:
        ::io_uring_prep_recv(&entry, fd, op.buffer, length_of(op),
                             op.kind == io_kind::peek ? MSG_PEEK : 0);
        if (op.kind == io_kind::borrow && op.buffer == nullptr) {
          entry.flags |= IOSQE_BUFFER_SELECT;
          entry.buf_group = uring_buffers::group;
        }
        break;
      case io_kind::read_v:
        record.message->parts.fill(op);
        ::io_uring_prep_recvmsg(&entry, fd, record.message->parts.message(), 0);
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
      case io_kind::wait_out:
      case io_kind::wait_urgent:
      case io_kind::call_in:
      case io_kind::call_out: ::io_uring_prep_poll_add(&entry, fd, readiness_of(op)); break;
    }
  }
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
    all = none_listed() && bell_armed_;
  }
  __kernel_timespec limit{};
  io_uring_getevents_arg how{};
  how.sigmask_sz = _NSIG / 8;
  if (!all) delay_ns = 0;  // There will be room once completions are collected.
  if (delay_ns >= 0) {
    limit.tv_sec = delay_ns / 1'000'000'000;
    limit.tv_nsec = delay_ns % 1'000'000'000;
    how.ts = reinterpret_cast<std::uintptr_t>(&limit);
  }
  submitter_.store(this_thread(), std::memory_order_relaxed);
  // Refused, or taken in part, it returns at once, and the caller comes again.
  ::io_uring_enter2(static_cast<unsigned>(fd()), count, 1,
                    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                    reinterpret_cast<sigset_t*>(&how), sizeof how);
  return collect(ready, true);
}

}  // namespace cove::netpoll
