#include "netpoll/uring_accepts.hpp"

#include "netpoll/poll_desc.hpp"
#include "netpoll/uring_label.hpp"
#include "netpoll/uring_lane.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

// Accepting on a ring, for kernels that can do it many times for one request. A listener's request
// stays with the lane where it was first armed, whoever awaits.

namespace cove::netpoll {

using detail::io_op;

namespace {

// As long as a busy machine may take; a listener that outlasts it is let go a little later.
constexpr unsigned end_rounds_max = 1000;
constexpr std::int64_t end_round_ns = 1'000'000;
constexpr unsigned close_rounds_max = 20;
constexpr int close_round_ms = 1;

}  // namespace

/// Gives what was kept, or sees to it that the kernel accepts.
void uring_lane::arm_accept(uring_record& record, io_op& op, bool hand_in) noexcept {
  bool ended = false;
  {
    const detail::spin_guard guard(lock_);
    if (record.accepts->kept.empty()) {
      begin(record, op);
      if (!record.accepts->armed && !record.listed) list(record);
      hand_in = hand_in && record.listed;
    } else {
      op.result = record.accepts->take();
      ended = true;
    }
  }
  if (ended) {
    static_cast<void>(op.task_->word.complete());  // It is about to park, and will see it.
    return;
  }
  if (hand_in) submit();
}

void uring_lane::hand_over_accept(uring_record& record) noexcept {
  uring_accepts& all = *record.accepts;
  const bool stop = all.closing != nullptr || all.kept.size() >= uring_accepts::bound;
  if (record.op != nullptr && !all.armed && !stop) {
    io_uring_sqe& entry = *next_entry();
    ::io_uring_prep_multishot_accept(&entry, record.op->desc->fd, nullptr, nullptr,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    ::io_uring_sqe_set_data64(&entry, label(tag::accept, record.number, 0));
    all.armed = true;
    ++accepting_;
  } else if (stop && all.armed && !all.stopping) {
    io_uring_sqe& entry = *next_entry();
    ::io_uring_prep_cancel64(&entry, label(tag::accept, record.number, 0), 0);
    ::io_uring_sqe_set_data64(&entry, label(tag::stop, record.number, 0));
    all.stopping = true;
  }
}

void uring_lane::absorb_accept(const io_uring_cqe& said, uring_record& record,
                               harvest& found) noexcept {
  uring_accepts& all = *record.accepts;
  if ((said.flags & IORING_CQE_F_MORE) == 0) {
    all.armed = all.stopping = false;
    --accepting_;
  }
  if (said.res >= 0 && record.op == nullptr) {
    if (!all.keep(said.res)) uring_accepts::refuse(said.res);
  } else if (record.op != nullptr && said.res != -ECANCELED) {
    finish(record, said.res, found);
  }
  if (all.closing != nullptr) {
    if (all.armed) return;
    if (record.listed) unlist(record);
    if (all.waiter != nullptr)
      *all.waiter = true;
    else
      found.closed[found.closed_count++] = all.closing;
    return;
  }
  // Taken back while somebody began to wait; or too many came.
  const bool again = record.op != nullptr
                         ? !all.armed
                         : all.armed && !all.stopping && all.kept.size() >= uring_accepts::bound;
  if (again && !record.listed) list(record);
}

/// A request that was just between two waits was not found: once more.
void uring_lane::absorb_stop(const io_uring_cqe& said, uring_record& record) noexcept {
  uring_accepts* all = record.accepts.get();
  if ((said.res != -ENOENT && said.res != -EALREADY) || all == nullptr || !all->stopping) return;
  all->stopping = false;
  if (!record.listed) list(record);
}

bool uring_lane::close_accept(uring_record& record, poll_desc& desc) noexcept {
  std::unique_ptr<uring_accepts> gone;  // Closes what was kept, without the lock.
  bool ended = false;
  {
    const detail::spin_guard guard(lock_);
    if (record.listed) unlist(record);
    if (!record.accepts->armed) {
      gone = std::move(record.accepts);
      return true;
    }
    record.accepts->closing = &desc;
    record.accepts->waiter = &ended;
    list(record);
  }
  submit();
  // As a rule the request has ended by now, or does as soon as its thread has been interrupted. A
  // listener that is only destroyed leaves its address free, and so it is worth a short wait.
  for (unsigned round = 0; round < close_rounds_max; ++round) {
    detail::task_list ready;
    collect(ready);
    if (!ready.empty()) chosen_.resume(ready);
    {
      const detail::spin_guard guard(lock_);
      if (ended) {
        gone = std::move(record.accepts);
        return true;
      }
      if (round + 1 == close_rounds_max) record.accepts->waiter = nullptr;
    }
    pollfd completions{fd(), POLLIN, 0};
    ::poll(&completions, 1, close_round_ms);
  }
  return false;
}

/// The runtime ends: nothing may hold a listener open behind its back.
void uring_lane::end_accepts() noexcept {
  detail::task_list nobody;
  for (unsigned round = 0; round < end_rounds_max && accepting_ != 0; ++round) {
    {
      const detail::spin_guard guard(lock_);
      if (room() != 0) {
        io_uring_sqe& entry = *next_entry();
        ::io_uring_prep_cancel64(&entry, 0, IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY);
        ::io_uring_sqe_set_data64(&entry, label(tag::nobody, 0, 0));
      }
    }
    wait(end_round_ns, nobody);
  }
}

}  // namespace cove::netpoll
