#pragma once

#include "netpoll/uring_buffers.hpp"
#include "netpoll/uring_calls.hpp"
#include "netpoll/uring_record.hpp"
#include "netpoll/uring_setup.hpp"
#include "netpoll/waker.hpp"

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/spin_lock.hpp>
#include <cove/runtime/detail/task_ctl.hpp>

#include <cstdint>

// A processor's ring.
//
// The problem. Operations are armed by the worker that holds the processor, and ended early by any
// worker; completions must come through although the worker that armed them is stuck in user code,
// so anybody may collect them. A ring has one queue in each direction and no lock of its own.
//
// Everything a lane has is under one spin lock, which is contended only by those who cancel and
// collect for others. No system call is made under it but the two short ones that end a connect.
//
//   record   idle -> listed          arm()
//            listed -> handed        hand_over(): its entry is in the submission queue
//            handed -> idle          collect(): the operation's own completion, never a cancel's
//            handed -> listed        it must go round again: EAGAIN (wait for readiness first),
//                                    readiness came, a connect that has not ended
//   asked    withdraw() sets it and lists the record once more: a cancel follows the operation. The
//            cancel's answer means nothing, but that it did not find an operation which is still
//            there (it was between two waits just then): it is sent again.
//
// An entry is published to the kernel under the lock, and handed in by io_uring_enter() without it:
// several threads may do that at once, the kernel takes the entries in order. Whoever was last is
// the submitter, on whose visits to the kernel completions may have to wait.
//
// A receive is tried before it is waited for, although its stream was often just emptied: by the
// time a batch is handed in there is something again. POLL_FIRST cost an echo server 7 %.
//
// A waiting thread is never robbed of its wake-up: whoever collects the bell's completion for
// somebody who waits arms it again, and the bell is still ringing.

namespace cove::netpoll {

struct uring_lane_settings {
  waker& bell;               ///< Wakes wait().
  std::int64_t patience_ns;  ///< What is armed waits no longer than this for others, if tasks run.
  // See backend_settings.
  detail::task_ctl* (*closed)(poll_desc& desc) noexcept;
  void (*resume)(detail::task_list& ready) noexcept;
};

class uring_lane {
 public:
  /// Errors: those of uring_setup.
  uring_lane(uring_table& table, const uring_lane_settings& chosen);
  ~uring_lane();

  /// Readable while there are completions.
  int fd() noexcept { return setup_.ring().ring_fd; }

  // The holder of the record's direction.
  void arm(uring_record& record, detail::io_op& op) noexcept;

  // The owner of the task of a call about a file; see uring_calls.hpp.
  /// False if this ring cannot do it.
  bool arm(detail::ring_call& call) noexcept;
  /// True: the kernel has not seen it.
  bool withdraw(detail::ring_call& call, bool hand_in) noexcept;

  /// As arm(), where one request accepts many; `hand_in` if the caller's is another lane.
  void arm_accept(uring_record& record, detail::io_op& op, bool hand_in) noexcept;
  bool takes_many() const noexcept { return setup_.modern(); }
  /// False if the kernel must let it go first.
  bool close_accept(uring_record& record, poll_desc& desc) noexcept;

  // Whoever owns the task of an operation that was armed here.
  void withdraw(uring_record& record, detail::io_op& op, bool hand_in) noexcept;

  // Any thread.

  /// Calls about files that have not ended; they are not among the descriptors that are watched.
  bool has_calls() const noexcept { return calls_out_.load(std::memory_order_relaxed) != 0; }
  /// Has something waited here for as long as it may?
  bool overdue() const noexcept;
  /// Hands in what is there. If the kernel refuses to take it, whoever waits is woken to try again.
  void submit() noexcept {
    if (!try_submit()) chosen_.bell.wake();
  }
  /// As submit(), for the one who comes again by itself.
  bool try_submit() noexcept;
  /// Takes a bounded number of completions, if nobody else is just doing that.
  void collect(detail::task_list& ready) noexcept { collect(ready, false); }
  /// Has the kernel left something in the submission queue? Then it must be asked again, unless
  /// somebody is just doing that.
  bool held_up() noexcept;

  // One thread at a time, for a lane that is alone.

  /// Hands in what is there and waits for a completion, the bell or the end of `delay_ns`. True if
  /// the bell rang.
  bool wait(std::int64_t delay_ns, detail::task_list& ready) noexcept;

 private:
  static constexpr unsigned entries = 256;
  static constexpr unsigned batch = 32;
  static constexpr unsigned collected_max = 128;

  /// Completions that one look has taken out, to be told without the lock.
  struct harvest {
    detail::task_ctl* ended[collected_max];
    unsigned count = 0;
    poll_desc* closed[collected_max];
    unsigned closed_count = 0;
    bool bell = false;
  };

  bool collect(detail::task_list& ready, bool waiter) noexcept;
  void end_accepts() noexcept;
  bool furnish(uring_record& record, detail::io_op& op) noexcept;
  bool has_completions() noexcept;
  std::uint32_t kernel_flags() noexcept;
  bool is_submitter() const noexcept;
  bool enter(unsigned count, unsigned flags) noexcept;

  // Under lock_.
  bool none_listed() const noexcept { return first_ == nullptr && calls_.none_listed(); }
  void count_listed() noexcept;
  void count_unlisted() noexcept;
  void count_ended() noexcept;
  void take_in(harvest& found) noexcept;
  void arm_bell() noexcept;
  void begin(uring_record& record, detail::io_op& op) noexcept;
  void list(uring_record& record) noexcept;
  void unlist(uring_record& record) noexcept;
  unsigned hand_over() noexcept;
  io_uring_sqe* next_entry() noexcept;
  unsigned room() noexcept;
  unsigned publish() noexcept;
  void prepare(io_uring_sqe& entry, uring_record& record) noexcept;
  void prepare_cancel(io_uring_sqe& entry, const uring_record& record) noexcept;
  void absorb(const io_uring_cqe& said, harvest& found) noexcept;
  void absorb_call(const io_uring_cqe& said, harvest& found) noexcept;
  void absorb_operation(const io_uring_cqe& said, uring_record& record, harvest& found) noexcept;
  void hand_over_accept(uring_record& record) noexcept;
  void absorb_accept(const io_uring_cqe& said, uring_record& record, harvest& found) noexcept;
  void absorb_stop(const io_uring_cqe& said, uring_record& record) noexcept;
  void finish(uring_record& record, std::int64_t result, harvest& found) noexcept;
  void again(uring_record& record) noexcept;

  // Constant after construction.
  uring_table& table_;
  const uring_lane_settings chosen_;

  // Any thread.
  detail::atomic<unsigned> unsent_{0};  ///< Listed; written under lock_.
  detail::atomic<std::int64_t> since_ns_{0};
  detail::atomic<unsigned> calls_out_{0};  ///< Written under lock_.
  /// Whose visits to the kernel bring completions: the thread that handed in last.
  detail::atomic<const void*> submitter_{nullptr};

  detail::spin_lock lock_;
  // Under lock_.
  uring_setup setup_;
  uring_buffers buffers_{setup_.ring()};
  uring_record* first_ = nullptr;
  uring_record* last_ = nullptr;
  uring_calls calls_;
  unsigned accepting_ = 0;  ///< Listeners whose request the kernel has.
  bool bell_armed_ = false;
};

}  // namespace cove::netpoll
