#pragma once

#include <cove/runtime/time.hpp>

namespace cove {

/// How often, and after what delays, retry() tries again. Before the second attempt it waits for
/// `first_delay`, before each further one `factor` times as long as before, never longer than
/// `most_delay`.
struct retry_policy {
  unsigned attempts = 4;  ///< In all; at least 1.
  clock::duration first_delay = std::chrono::milliseconds(50);
  clock::duration most_delay = std::chrono::seconds(10);
  double factor = 2;  ///< At least 1.
  /// The part of each delay that is left to chance, 0 to 1, so that many who failed at once do not
  /// come back at once: a delay d is something between d * (1 - jitter) and d.
  double jitter = 0.5;
};

namespace detail {

/// The delays of one retry().
class backoff {
 public:
  /// Throws invalid_argument, with what is wrong, for a policy that makes no sense.
  explicit backoff(const retry_policy& policy);

  /// Was that the last attempt?
  bool exhausted() const noexcept { return left_ == 0; }
  /// Before the next attempt.
  clock::duration next() noexcept;

 private:
  double part_of_chance() noexcept;

  retry_policy policy_;
  unsigned left_;
  double delay_ns_;
  std::uint64_t chance_;
};

/// The code of what was thrown if trying again can be thought of: it is a std::system_error, no
/// cancellation, and the task may go on. Else zero.
std::error_code retriable(const std::exception_ptr& failure) noexcept;

COVE_COROUTINE_TEMPLATES_BEGIN
template <class F, class Retries>
std::invoke_result_t<F&> try_repeatedly(retry_policy policy, F f, Retries retries) {
  backoff delays(policy);
  for (;;) {
    std::exception_ptr failure;
    try {
      co_return co_await f();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::error_code code = retriable(failure);
    if (!code || delays.exhausted() || !retries(code)) std::rethrow_exception(failure);
    failure = nullptr;
    co_await this_task::sleep_for(delays.next());
  }
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Awaits `f()`, a coroutine, again and again until it succeeds, with growing delays between the
/// attempts. What is tried again is a std::system_error for whose code `retries(code)` holds.
///
///     const auto dial = [&] { return connect_once(address); };
///     auto peer = co_await cove::retry({.attempts = 5}, dial, [](std::error_code code) {
///       return code == std::errc::connection_refused;
///     });
///
/// For a limit of each attempt let `f` contain with_timeout; for one of the whole put that around
/// retry.
///
/// Errors:       the failure of the last attempt; at once what is not to be tried again;
///               invalid_argument for a policy that makes no sense.
/// Cancellation: ends the attempt or the delay. A cancellation is never tried again, nor is
///               anything once the task was asked to end or a deadline around it has passed.
/// Lifetime:     `f` lives until the end; on GCC 12 name a lambda that captures by value before the
///               co_await.
template <class F, class Retries>
  requires std::is_invocable_r_v<bool, Retries&, std::error_code>
std::invoke_result_t<F&> retry(retry_policy policy, F f, Retries retries) {
  return detail::try_repeatedly(policy, std::move(f), std::move(retries));
}

/// The same for every std::system_error.
template <class F>
std::invoke_result_t<F&> retry(retry_policy policy, F f) {
  const auto any = [](std::error_code) { return true; };
  return detail::try_repeatedly(policy, std::move(f), any);
}

}  // namespace cove
