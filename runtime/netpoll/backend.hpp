#pragma once

#include "netpoll/poll_desc.hpp"

#include <cstdint>
#include <system_error>

// The contract of a netpoller backend. A backend is a file pair that implements these functions in
// this order. It knows tasks, slots and operations; it does not know the scheduler.
//
// Two kinds. A readiness backend (epoll, kqueue, poll, select) reports that something happened and
// the worker repeats the system call; arm() and withdraw() are the moves of the slot and are not
// asked of it. A completion backend (io_uring, IOCP, the tests' fake) carries the operation out and
// reports its result.
//
// Threads: open, close, arm and withdraw may be called by any thread at any time, for one
// descriptor's direction by its holder only. At most one thread is in wait(), at most one in
// poll(); both may run at once. wake() may be called by any thread.

namespace cove::netpoll {

class backend {
 public:
  virtual ~backend() = default;

  /// "epoll", "io_uring", ...: what runtime::backend() and COVE_BACKEND name.
  virtual const char* name() const noexcept = 0;

  /// Does the backend carry operations out itself?
  virtual bool completes() const noexcept { return false; }

  /// Starts watching `desc` (fd, index and generation are set). Errors: those of the system; EPERM
  /// for a descriptor that cannot be waited for.
  virtual std::error_code open(poll_desc& desc) noexcept = 0;

  /// Stops watching; called while the number is still ours, when no operation is inside.
  virtual void close(poll_desc& desc) noexcept = 0;

  /// Completion backends: gives the operation to the kernel. Its end is reported once: `result` is
  /// set and complete() called on its task. The operation stays where it is until then.
  virtual void arm(detail::io_op& op) noexcept = 0;

  /// Completion backends: asks the kernel to end the operation early. Its completion still comes,
  /// with what really happened, or with -ECANCELED.
  virtual void withdraw(detail::io_op& op) noexcept = 0;

  /// Collects what has happened, without waiting. Tasks that may go on are added to `ready`; each
  /// is then the caller's to schedule. Never consumes a wake().
  virtual void poll(detail::task_list& ready) noexcept = 0;

  /// As poll(), but waits for something to happen, for wake(), or for `delay_ns` (negative: without
  /// limit; never less than asked, rounded up to what the system can do).
  virtual void wait(std::int64_t delay_ns, detail::task_list& ready) noexcept = 0;

  /// Makes the thread in wait(), or the next one to enter it, return. Calls that come before it
  /// returned are one call. Costs nothing but an exchange when nobody sleeps.
  virtual void wake() noexcept = 0;

  /// Has a wake() come since the last wait()? For the worker that polls for a while before it
  /// waits.
  virtual bool woken() const noexcept = 0;

  /// Number of descriptors open.
  virtual std::size_t watched() const noexcept = 0;
};

}  // namespace cove::netpoll
