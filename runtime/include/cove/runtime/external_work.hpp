#pragma once

#include <utility>

namespace cove {

class runtime;

namespace sched {
class virtual_clock;
}

/// Says that somebody outside of the runtime is at work for it: a thread that will send something,
/// a process that will answer. As long as one stands, virtual time does (cove::test::run), and the
/// runtime waits for the outside in real time. Where time is real it does nothing.
///
///     cove::external_work pending;  // In the task that will wait for the answer,
///     std::thread([work = std::move(pending), answer = std::move(sender)]() mutable {
///       answer.send(measure());
///     }).detach();                  // ended where the answer has been given.
///
/// End it after what it announces was handed over; what was handed over before is seen first.
///
/// Threads:  any; one object by one thread at a time.
/// Lifetime: may end after the runtime.
class external_work {
 public:
  /// For the runtime of the task that runs; for none outside of tasks.
  external_work() noexcept;
  /// For `whose`, from any thread.
  explicit external_work(runtime& whose) noexcept;
  external_work(external_work&& other) noexcept : clock_(std::exchange(other.clock_, nullptr)) {}
  external_work& operator=(external_work&& other) noexcept {
    if (this != &other) {
      done();
      clock_ = std::exchange(other.clock_, nullptr);
    }
    return *this;
  }
  ~external_work() { done(); }

  /// It is over; the destructor does the same.
  void done() noexcept;

 private:
  explicit external_work(sched::virtual_clock* clock) noexcept;

  sched::virtual_clock* clock_;
};

}  // namespace cove
