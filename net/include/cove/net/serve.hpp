#pragma once

#include <cove/net/tcp.hpp>
#include <cove/runtime/detail/log_limit.hpp>
#include <cove/runtime/supervisor.hpp>
#include <cove/runtime/time.hpp>

namespace cove::net {

COVE_COROUTINE_TEMPLATES_BEGIN

namespace detail {

/// What accepting does when the system has no room: waits, ever longer, up to a second, and says so
/// once. Connections that are there are served meanwhile.
class accept_backoff {
 public:
  /// Can accepting go on after this error?
  static bool passes(std::error_code why) noexcept;
  /// How long to wait after this error; the first of a row is logged. Nanoseconds.
  std::int64_t next_ns(std::error_code why) noexcept;
  void reset() noexcept { wait_ns_ = 0; }

 private:
  std::int64_t wait_ns_ = 0;
};

/// What serving says of sessions that fail. Peers come and go: where one broke the connection, one
/// line a second tells how many did, and one at the end; every other failure has a line of its own.
class session_log {
 public:
  session_log() noexcept = default;
  /// Before its first use only.
  session_log(session_log&&) noexcept = default;
  /// When the last session has ended.
  ~session_log();
  void operator()(const task_failure& failure) noexcept;

 private:
  void peer_broke(const task_failure& failure) noexcept;

  cove::detail::log_limit broken_{1'000'000'000};
};

template <class Handler>
task<> accept_into(supervisor& sessions, tcp_listener& listener, Handler& handler) {
  accept_backoff backoff;
  for (;;) {
    result<tcp_stream> accepted = co_await listener.accept().as_result();
    if (accepted) {
      backoff.reset();
      sessions.spawn(handler, *std::move(accepted)).detach();
      continue;
    }
    const std::error_code why = accepted.error();
    if (why == errc::closed) co_return;
    if (!accept_backoff::passes(why)) cove::detail::throw_error(why, "accept");
    co_await this_task::sleep_for(std::chrono::nanoseconds(backoff.next_ns(why)));
  }
}

template <class Handler>
struct accept_loop {
  accept_loop(tcp_listener& from, Handler& session) noexcept : listener(from), handler(session) {}
  task<> operator()(supervisor& sessions) const { return accept_into(sessions, listener, handler); }
  tcp_listener& listener;
  Handler& handler;
};

}  // namespace detail

/// A session: called with each accepted stream, it gives a task<>.
template <class Handler>
concept session_handler = std::is_invocable_r_v<task<>, std::decay_t<Handler>, tcp_stream>;

/// Accepts connections and runs `handler(stream)` for each as a task of its own, until the listener
/// is closed; then waits for the sessions. A session that fails is logged and ends alone; those
/// whose peer broke the connection share a line a second. Running out of descriptors or memory
/// pauses accepting, it does not end it.
///
///     co_await cove::net::serve(std::move(listener), session);
///
/// Errors:       what accept reports, but for errors that pass.
/// Cancellation: stops accepting, cancels the sessions, waits for them, then throws canceled.
/// Lifetime:     `listener` must outlive the await. The handler is copied for each session.
template <session_handler Handler>
task<> serve(tcp_listener& listener, Handler handler) {
  const detail::accept_loop<Handler> loop(listener, handler);
  detail::session_log log;
  co_await with_supervisor(loop, std::move(log));
}

namespace detail {

template <class Handler>
task<> serve_owned(tcp_listener listener, Handler handler) {
  co_await net::serve(listener, std::move(handler));
}

}  // namespace detail

/// As above; owns the listener and closes it at the end.
template <session_handler Handler>
task<> serve(tcp_listener&& listener, Handler handler) {
  return detail::serve_owned(std::move(listener), std::move(handler));
}

COVE_COROUTINE_TEMPLATES_END

}  // namespace cove::net
