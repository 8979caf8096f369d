#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/job.hpp>
#include <cove/runtime/detail/suspend.hpp>
#include <cove/runtime/pool_lane.hpp>

#include <exception>
#include <string>
#include <system_error>

// A call on the pool as its task waits for it: an operation that is a job. Who has the job when
// stands in runtime/pool/lane.hpp; here is what the task does with it.
//
//   fresh     -> submitted  advance(): announced to virtual time, given to the lane
//   submitted -> ended      the parking word was completed: it was handed back, with its outcome
//   submitted -> fresh      withdraw() before it began: taken back
//   fresh     -> refused    there is no thread for it, or its lane is full and refuses
//
// The thread writes the outcome and then completes the parking word, which publishes it; from there
// on the operation, its frame and its task are somebody else's. If withdraw() comes too late, the
// task is parked until that completion, and advance() then ends the operation with what came of it:
// a call that was made has been made. One that goes in steps may look at asked() between them, and
// leave off: then `cause` says why.

namespace cove::detail {

/// What does not depend on what is called.
class blocking_op : public awaitable_base, public operation, protected pool::job {
 public:
  bool await_ready() noexcept {
    --task_->budget;
    return false;
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }

 protected:
  /// What its task does with a call on the pool; another's `moves` may end in these.
  static const operation_type pool_moves;

  explicit blocking_op(const pool::job_type& call, pool_lane lane,
                       const operation_type& moves = pool_moves) noexcept
      : operation(moves), job(call), lane_(lane) {}
  ~blocking_op() { COVE_ASSERT(phase_ != phase::submitted); }

  static void hand_back(pool::job& which) noexcept;

  /// For the call while it runs: its task was asked to end. Says nothing but that, so relaxed
  /// loads will do.
  const atomic<bool>& asked() const noexcept { return asked_; }

  /// Why the call was not made; zero if it was.
  std::error_code refusal() const noexcept;
  /// For await_resume(): throws the refusal, or what left the call.
  void check_ended();

  const pool_lane lane_;
  std::exception_ptr failure_;  ///< What left the call.

 private:
  friend struct blocking_moves;

  enum class phase : std::uint8_t { fresh, submitted, ended, refused, refused_full };

  std::string describe_queue() const;

  phase phase_ = phase::fresh;
  stop_reason stopped_ = stop_reason::none;
  atomic<bool> asked_{false};
};

}  // namespace cove::detail
