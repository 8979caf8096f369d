#pragma once

#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/io_op.hpp>
#include <cove/runtime/detail/stream_ends.hpp>
#include <cove/runtime/detail/suspend.hpp>
#include <cove/runtime/result.hpp>

namespace cove::detail {

class descriptor;
struct io_deadlines;

/// How an awaitable of the library drives its operation; io_op.cpp.
bool io_try(io_op& op, task_ctl& task) noexcept;
/// The result was taken: the direction is free again.
void io_leave(io_op& op) noexcept;
/// What the operation reports; a zero code for success.
std::error_code io_outcome(const io_op& op) noexcept;

/// Names both runtimes of an operation that failed with errc::wrong_runtime.
std::string wrong_runtime_remedy(const io_op& op);
/// Names the limit of the running task's backend, for errc::descriptor_too_high.
std::string too_high_remedy(int fd);

/// Which operations a deadline is for.
enum class deadline_for : std::uint8_t { reads, writes, both };

/// Waits until every operation on a descriptor has left and it is closed.
struct close_op : operation {
  explicit close_op(descriptor& which) noexcept;

  descriptor* on;
  task_ctl* task = nullptr;
  bool started = false;
  std::error_code error;
};

/// The one door from io and net to the poller: owns a system descriptor, attaches it to the runtime
/// of the first task that awaits on it, closes it when the last operation has left.
///
///   word_   fresh        the number only; nobody awaited on it yet
///           occupied     one caller has the bare number: registers it, closes it, or makes one
///                        system call that does not wait; the others give way until it is done
///           closed       closed before it was attached
///           poll_desc*   attached; from here on its gate decides
///
/// Threads:  operations, close and use may be called at once; moving and destroying may not run
///           beside anything else on this object (operations under way do not count: they refer to
///           the poll descriptor).
class descriptor {
 public:
  descriptor() noexcept = default;
  /// Takes ownership of an open, non-blocking descriptor.
  descriptor(int fd, descriptor_kind kind) noexcept : word_(fresh), fd_(fd), kind_(kind) {}
  descriptor(descriptor&& other) noexcept;
  descriptor& operator=(descriptor&& other) noexcept;
  /// Never waits: marks closed, evicts, and the last operation closes.
  ~descriptor() { drop(); }

  /// The poll descriptor, attached to the task's runtime; nullptr with `why` set otherwise.
  netpoll::poll_desc* attach(task_ctl& task, io_op& why) noexcept;

  /// Runs `call(fd)`, which gives an error code or a result, with the descriptor held open; gives
  /// errc::closed once it is closed.
  template <class Call>
  auto use(Call call) -> std::invoke_result_t<Call, int>;

  /// Makes the operation's system call once, without waiting, from any thread. False: it would
  /// block.
  bool try_now(io_op& op) noexcept;

  /// From `when_ns` on operations of these directions fail with errc::deadline_exceeded; see
  /// io_deadline.hpp. Any thread. Errors: errc::closed, not_enough_memory.
  std::error_code set_deadline(deadline_for whose, std::int64_t when_ns) noexcept;

  /// Closes without waiting: pending operations end with errc::closed, the last one gives the
  /// number back. The object stays, closed.
  void close_now() noexcept;

  /// Gives the number out of the runtime, open; the object is closed then. Errors: errc::closed,
  /// operation_in_progress while something uses it.
  result<int> release() noexcept;

  /// Was it closed, or never open?
  bool is_closed() const noexcept;
  /// The number, for reports and tests; -1 once closed.
  int number() const noexcept { return is_closed() ? -1 : fd_; }

  /// What it is.
  descriptor_kind kind() const noexcept { return kind_; }
  /// What is known of how the stream ended.
  stream_ends& ends() noexcept;
  /// The descriptor's side of close(); see close_op. True if it has ended.
  bool begin_close(close_op& op, task_ctl& task) noexcept;

 private:
  friend class descriptor_hold;

  static constexpr std::uintptr_t fresh = 0;
  static constexpr std::uintptr_t occupied = 1;
  static constexpr std::uintptr_t closed = 2;

  netpoll::poll_desc* attached() const noexcept;
  netpoll::poll_desc* attach_slowly(task_ctl& task, io_op& why) noexcept;
  /// Makes `fresh` to `occupied`; gives what it found: fresh, closed, or the poll descriptor.
  std::uintptr_t occupy() noexcept;
  /// `held` stays null for a descriptor that has no gate yet: it is occupied instead.
  bool enter(netpoll::poll_desc*& held) noexcept;
  void leave(netpoll::poll_desc* held) noexcept;
  bool try_bare(io_op& op) noexcept;
  static bool try_attached(io_op& op, netpoll::poll_desc& desc) noexcept;
  std::error_code set_bare_deadline(deadline_for whose, std::int64_t when_ns) noexcept;
  static void close_attached(netpoll::poll_desc& desc) noexcept;
  result<int> release_attached(netpoll::poll_desc& desc) noexcept;
  void drop() noexcept;

  atomic<std::uintptr_t> word_{closed};
  // Until it is attached; then the poll descriptor's count.
  stream_ends ends_;
  io_deadlines* deadlines_ = nullptr;
  int fd_ = -1;
  descriptor_kind kind_ = descriptor_kind::socket;
  atomic<std::uint32_t> waiting_{0};  ///< Who found it occupied and wants it next.
};

/// Keeps the number of an open descriptor while this lives; of a closed one it holds nothing.
class descriptor_hold {
 public:
  explicit descriptor_hold(descriptor& what) noexcept : what_(what), open_(what.enter(held_)) {}
  descriptor_hold(const descriptor_hold&) = delete;
  descriptor_hold& operator=(const descriptor_hold&) = delete;
  ~descriptor_hold() {
    if (open_) what_.leave(held_);
  }

  /// False: it was closed before.
  explicit operator bool() const noexcept { return open_; }
  /// The number. Only where it was open.
  int fd() const noexcept {
    COVE_ASSERT(open_);
    return what_.fd_;
  }

 private:
  descriptor& what_;
  netpoll::poll_desc* held_ = nullptr;
  const bool open_;  // Behind held_, which entering sets.
};

template <class Call>
auto descriptor::use(Call call) -> std::invoke_result_t<Call, int> {
  const descriptor_hold held(*this);
  if (!held) return make_error_code(errc::closed);
  return call(held.fd());
}

/// `co_await close`: never throws, not cancellable. Gives a zero code, the system's complaint, or
/// errc::closed if it had been closed before.
class close_awaiter : public awaitable_base, public close_op {
 public:
  explicit close_awaiter(descriptor& which) noexcept : close_op(which) {}
  close_awaiter(close_awaiter&&) = delete;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }
  std::error_code await_resume() const noexcept { return error; }
};

}  // namespace cove::detail
