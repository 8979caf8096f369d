#pragma once

#include "netpoll/poll_desc.hpp"

#include <cove/runtime/detail/ring_call.hpp>

#include <climits>
#include <cstdint>
#include <system_error>

// The contract of a netpoller backend. A backend is a file pair that implements these functions in
// this order. It knows tasks, slots and operations; it does not know the scheduler.
//
// Three models.
//   edge        (epoll, kqueue) reports each change once, whoever waits; the worker repeats the
//               system call. arm(), withdraw() and watch() are not asked of it.
//   level       (epoll-lt, poll, select) reports what is so, as long as it is asked. What is
//               asked is said by watch(), each time somebody is about to wait for it.
//   completion  (io_uring, IOCP, the tests' fake) carries the operation out and reports its result.
//               It may keep what it is given for a while, to hand it to the kernel with others:
//               until flush(), poll() or wait().
//
// A lane is a processor's number. What a completion backend has for each processor, a ring say, is
// found by it.
//
// Threads: open and close may be called by any thread at any time; arm, withdraw and watch too, for
// one descriptor's direction by its holder only; carry and take_back by the owner of the task. At
// most one thread is in wait(), at most one in poll(); both may run at once, and flush() beside
// them. wake() may be called by any thread.

namespace cove::netpoll {

enum class model : std::uint8_t { edge, level, completion };

/// The lane of a thread that holds no processor.
inline constexpr unsigned no_lane = ~0U;

class backend {
 public:
  virtual ~backend() = default;

  /// "epoll", "io_uring", ...: what runtime::backend() and COVE_BACKEND name.
  virtual const char* name() const noexcept = 0;

  virtual netpoll::model model() const noexcept = 0;

  /// Descriptor numbers that can be watched are below this.
  virtual int limit() const noexcept { return INT_MAX; }

  /// Starts watching `desc` (fd, index and generation are set). Errors: those of the system; EPERM
  /// for a descriptor that cannot be waited for, a file or a directory; errc::descriptor_too_high
  /// for a number that is not below limit().
  virtual std::error_code open(poll_desc& desc) noexcept = 0;

  /// Stops watching; called while the number is still ours, when no operation is inside. False if
  /// the kernel has to be asked first: backend_settings::closed follows, from inside of flush(),
  /// poll(), wait() or the destructor, and until then the number is not to be given back.
  [[nodiscard]] virtual bool close(poll_desc& desc) noexcept = 0;

  /// Level: a task has just been put into the slot of the direction of `what` and is about to park.
  /// If that is so by now or comes later it is reported to that slot, once. Errors: those of the
  /// system, for a number that somebody else has closed; then nothing is reported.
  virtual std::error_code watch(poll_desc& desc, awaited what) noexcept {
    return static_cast<void>(desc), static_cast<void>(what), std::error_code();
  }

  /// Completion: gives the operation to the kernel, by way of the caller's `lane`. Its end is
  /// reported once, from inside of this call at the earliest: `result` is set and complete() called
  /// on its task. The operation stays where it is until then.
  virtual void arm(detail::io_op& op, unsigned lane) noexcept {
    static_cast<void>(op), static_cast<void>(lane);
  }

  /// Completion: asks the kernel to end the operation early; `lane` is the caller's. Its completion
  /// still comes, with what really happened, or with -ECANCELED.
  virtual void withdraw(detail::io_op& op, unsigned lane) noexcept {
    static_cast<void>(op), static_cast<void>(lane);
  }

  /// Completion: carries out a call about a file, by way of the caller's `lane`, if it can; else
  /// false, and the pool does it. Its end is reported once: `result` is set and complete() called
  /// on its task, from inside of flush(), poll() or wait(). The call stays where it is until then.
  [[nodiscard]] virtual bool carry(detail::ring_call& call, unsigned lane) noexcept {
    return static_cast<void>(call), static_cast<void>(lane), false;
  }

  /// Completion: as withdraw(), but true if the kernel had not seen the call: no completion comes.
  [[nodiscard]] virtual bool take_back(detail::ring_call& call, unsigned lane) noexcept {
    return static_cast<void>(call), static_cast<void>(lane), false;
  }

  /// Completion: hands the kernel what was armed by way of `lane`. Any thread.
  virtual void submit(unsigned lane) noexcept { static_cast<void>(lane); }

  /// Completion: submit(), and collects what `lane` has, as poll() does. Any thread.
  virtual void flush(unsigned lane, detail::task_list& ready) noexcept {
    static_cast<void>(lane), static_cast<void>(ready);
  }

  /// Completion: has something armed by way of `lane` been kept for long enough? Asked now and then
  /// by the holder of the processor, before it runs a task, and by sysmon.
  virtual bool overdue(unsigned lane) noexcept { return static_cast<void>(lane), false; }

  /// Collects what has happened, without waiting, and flushes the caller's `lane`. Tasks that may
  /// go on are added to `ready`; each is then the caller's to schedule. Never consumes a wake().
  virtual void poll(unsigned lane, detail::task_list& ready) noexcept = 0;

  /// As poll(), for all lanes, but waits for something to happen, for wake(), or for `delay_ns`
  /// (negative: without limit; never less than asked, rounded up to what the system can do).
  virtual void wait(std::int64_t delay_ns, detail::task_list& ready) noexcept = 0;

  /// Makes the thread in wait(), or the next one to enter it, return. Calls that come before it
  /// returned are one call. Costs nothing but an exchange when nobody sleeps.
  virtual void wake() noexcept = 0;

  /// Has a wake() come since the last wait()? For the worker that polls for a while before it
  /// waits.
  virtual bool woken() const noexcept = 0;

  /// Number of descriptors open.
  virtual std::size_t watched() const noexcept = 0;

  /// Could there be anything to collect? If not, a busy worker need not look.
  virtual bool expects() const noexcept { return watched() != 0; }
};

}  // namespace cove::netpoll
