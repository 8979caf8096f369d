#pragma once

#include <cove/runtime/detail/blocking_op.hpp>
#include <cove/runtime/detail/ring_call.hpp>

// What every call about a file does that may have to wait for a disk: it is given to a ring, where
// the backend has one that knows it, else to a thread of the pool, and its task parks.
//
//   here     -> at_ring    give_away(): the ring took it
//            -> at_pool    give_away(): the pool took it
//   at_ring  -> here       the task was completed: `ring.result` is the answer
//   at_pool  -> here       the task was completed: the job has run, or was refused
//   either   -> here       take_back() before it began
//
// A call that has begun is waited for, and what it gave is the result. take_back() of such a call
// sets `asked_`, which a job that makes several calls reads between them.

namespace cove::io::detail {

class offloaded : public cove::detail::blocking_op {
 protected:
  using task_ctl = cove::detail::task_ctl;
  using processor = cove::sched::processor;
  using stop_reason = cove::detail::stop_reason;

  offloaded(const cove::pool::job_type& work, const cove::detail::operation_type& moves,
            const char* verb) noexcept
      : blocking_op(work, pool_lane::file, moves) {
    name = verb;
    ring.verb = cove::detail::ring_verb::none;
  }

  enum class answer : std::uint8_t {
    pending,  ///< The task parks now.
    ring,     ///< The ring has answered.
    pool,     ///< The job has run,
    refused,  ///< or was not run, for the reason that refusal() gives.
  };

  /// To the ring, if it can do `ring`, else to the pool. Never answers `ring` or `pool`.
  answer give_away(task_ctl& task, processor& p) noexcept;
  /// Takes down why the pool did not run it: it was asked to end, or is refused(). True, as that is
  /// its result.
  bool end_unrun() noexcept;
  /// A completion came.
  answer collect(task_ctl& task, processor& p) noexcept;
  bool is_away() const noexcept { return where_ != place::here; }
  bool is_refused() const noexcept { return refused_; }
  /// If it is refused, what to do about it; for people.
  const char* refusal_remedy() const noexcept;
  /// For the operation_type: a call that has begun is waited for.
  static bool withdraw(cove::detail::operation& op, task_ctl& task, processor& p) noexcept {
    return static_cast<offloaded&>(op).take_back(task, p);
  }
  static void refuse(cove::detail::operation& op, stop_reason why) noexcept {
    static_cast<offloaded&>(op).stopped_ = why;
  }

  /// The pool's thread, between two calls: does somebody want this to end?
  bool is_asked() const noexcept { return asked_.load(std::memory_order_relaxed); }

  /// Nothing is asked of a ring unless all of this is set before it is given away.
  cove::detail::ring_call ring;
  stop_reason stopped_ = stop_reason::none;  ///< Why it ended before its call had.

 private:
  enum class place : std::uint8_t { here, at_ring, at_pool };

  answer go_on_in_pool(task_ctl& task, processor& p) noexcept;
  bool take_back(task_ctl& task, processor& p) noexcept;

  place where_ = place::here;
  bool refused_ = false;
  /// relaxed: a hint; the result travels with the completion.
  cove::detail::atomic<bool> asked_{false};
};

}  // namespace cove::io::detail
