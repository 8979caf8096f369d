#pragma once

#include <cove/runtime/detail/awaited.hpp>
#include <cove/runtime/detail/result_of.hpp>
#include <cove/runtime/detail/timer_node.hpp>

#include <chrono>

namespace cove {

/// The clock of every deadline: monotonic. Inside a task it is that of its runtime, and virtual
/// under cove::test::run.
struct clock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<clock>;
  static constexpr bool is_steady = true;

  /// Threads: any.
  static time_point now() noexcept;
};

namespace detail {

/// `limit` in whole nanoseconds, rounded up, and not beyond what fits.
template <class Rep, class Period>
constexpr std::int64_t saturated_ns(std::chrono::duration<Rep, Period> limit) noexcept {
  using seconds = std::chrono::duration<long double>;
  constexpr long double most = 9.2e9L;  // Seconds in 63 bits of nanoseconds.
  const long double exact = std::chrono::duration_cast<seconds>(limit).count();
  if (exact >= most) return INT64_MAX;
  if (exact <= -most) return INT64_MIN;
  return std::chrono::ceil<std::chrono::nanoseconds>(limit).count();
}

/// The moment `after_ns` from now; a sum beyond the end of time is never.
std::int64_t moment_after(std::int64_t after_ns) noexcept;

class sleep_awaiter : public awaitable_base, public operation, private timer_node {
 public:
  explicit sleep_awaiter(std::int64_t until_ns) noexcept;
  /// Before its start only.
  sleep_awaiter(sleep_awaiter&& other) noexcept : sleep_awaiter(other.until_ns_) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }
  void await_resume() const {
    if (stopped_ != stop_reason::none) throw_stopped(stopped_, "sleep");
    if (out_of_memory_) throw std::bad_alloc();
  }

  /// Gives a result, and does not throw what stopped it.
  auto as_result() && noexcept { return result_of<sleep_awaiter>(std::move(*this)); }
  stop_reason broken_off() const noexcept { return stopped_; }

  std::int64_t until_ns() const noexcept { return until_ns_; }

 private:
  friend struct sleep_moves;

  enum class phase : std::uint8_t { fresh, armed, fired };

  std::int64_t until_ns_;
  sched::processor* armed_on_ = nullptr;
  phase phase_ = phase::fresh;
  bool out_of_memory_ = false;
  stop_reason stopped_ = stop_reason::none;
};

/// A cancel scope with a timer: what with_timeout runs its operation in.
class timeout_scope : private timer_node {
 public:
  explicit timeout_scope(std::int64_t deadline_ns) noexcept;
  timeout_scope(const timeout_scope&) = delete;
  timeout_scope& operator=(const timeout_scope&) = delete;
  ~timeout_scope();

  /// Opens the scope and sets the timer; awaited once, before the operation.
  class opening : public awaitable_base, public operation {
   public:
    explicit opening(timeout_scope& which) noexcept;
    opening(opening&&) = delete;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
      return suspend(*task_, *this, self);
    }
    void await_resume() const {
      if (out_of_memory) throw std::bad_alloc();
    }

    timeout_scope& scope;
    bool out_of_memory = false;
  };
  opening open() noexcept { return opening(*this); }

 private:
  friend struct timeout_moves;

  cancel_scope link_;
  sched::processor* armed_on_ = nullptr;
};

COVE_COROUTINE_TEMPLATES_BEGIN
template <class A>
task<awaited_t<A>> run_until(A operation, std::int64_t deadline_ns) {
  timeout_scope limit(deadline_ns);
  co_await limit.open();
  co_return co_await std::move(operation);
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

namespace this_task {

/// Ends after at least `time`. Zero or less gives way once, as yield() does.
///
/// Errors:       canceled or deadline_exceeded; as_result() gives these in place of a throw.
/// Cancellation: ends the sleep at once.
/// Units:        any std::chrono duration; beyond 292 years means until cancelled.
template <class Rep, class Period>
[[nodiscard]] detail::sleep_awaiter sleep_for(std::chrono::duration<Rep, Period> time) noexcept {
  return detail::sleep_awaiter(detail::moment_after(detail::saturated_ns(time)));
}

/// Ends when the clock has reached `when`; otherwise as sleep_for.
[[nodiscard]] inline detail::sleep_awaiter sleep_until(clock::time_point when) noexcept {
  return detail::sleep_awaiter(when.time_since_epoch().count());
}

/// The earliest deadline that applies to the task where it stands: of the limits it is inside of,
/// also those around the scope that it was spawned into. clock::time_point::max() if there is none,
/// behind a shield, and outside of a task.
clock::time_point deadline() noexcept;

}  // namespace this_task

/// Awaits `operation` (a task or an operation of the library) and asks it to end when `limit` has
/// passed. It runs in the same task and is always waited for; a result that it reaches anyway wins.
///
///     std::size_t n = co_await cove::with_timeout(peer.read_some(buffer), 5s);
///
/// Nested limits: the earliest counts; a request from outside goes before a limit inside it.
///
/// Errors:       those of the operation; an await that the limit broke off throws error with
///               errc::deadline_exceeded. Written `with_timeout(op.as_result(), 5s)` it reports
///               that without a throw.
/// Cancellation: passes to the operation.
/// Lifetime:     the operation is moved into the limit; what it refers to must outlive the await.
/// Units:        any std::chrono duration; zero or less has passed already.
template <class A, class Rep, class Period>
auto with_timeout(A operation, std::chrono::duration<Rep, Period> limit)
    -> task<detail::awaited_t<A>> {
  return detail::run_until<A>(std::move(operation),
                              detail::moment_after(detail::saturated_ns(limit)));
}

/// The same for the end of a spawned task, through its handle; the limit ends the waiting, not the
/// task.
template <class T, class Rep, class Period>
task<T> with_timeout(join_handle<T>& handle, std::chrono::duration<Rep, Period> limit) {
  return detail::run_until(detail::join_awaiter<T>(handle),
                           detail::moment_after(detail::saturated_ns(limit)));
}

/// As with_timeout, with the moment at which the limit passes: one `when` for several operations is
/// one limit for all of them.
///
///     const auto when = cove::clock::now() + 5s;
///     auto head = co_await cove::with_deadline(read_head(peer), when);
///     auto body = co_await cove::with_deadline(read_body(peer, head), when);
///
/// Units:        a moment of cove::clock; one that has passed ends the first wait, max() never
///               comes.
template <class A>
auto with_deadline(A operation, clock::time_point when) -> task<detail::awaited_t<A>> {
  return detail::run_until<A>(std::move(operation), when.time_since_epoch().count());
}

/// The same for the end of a spawned task, through its handle; see with_timeout.
template <class T>
task<T> with_deadline(join_handle<T>& handle, clock::time_point when) {
  return detail::run_until(detail::join_awaiter<T>(handle), when.time_since_epoch().count());
}

}  // namespace cove
