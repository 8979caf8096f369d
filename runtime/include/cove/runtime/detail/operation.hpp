#pragma once

#include <cstdint>

// What a parked task waits for. An operation lives in the awaiting coroutine's frame; the worker
// that owns the task drives it (runtime/park.cpp), so a coroutine only ever sees a final result.

namespace cove::sched {
class processor;
}

namespace cove::detail {

struct task_ctl;

/// Why a wait was broken off. The order is the precedence of design rule "closed, cancelled,
/// deadline".
enum class stop_reason : std::uint8_t { none = 0, closed, canceled, deadline };

struct operation;

/// What a task awaits is told which task that is.
struct awaitable_base {
  task_ctl* task_ = nullptr;
};

/// The moves of one kind of operation. All run on the worker that owns the task, with a processor.
struct operation_type {
  /// For people who ask a hanging program why: "read", "sleep", "join".
  const char* name;

  /// Starts the operation or takes it further after a completion. True: the result is final. False:
  /// it is armed, complete() will be called exactly once, and the task must park now.
  bool (*advance)(operation& op, task_ctl& task, sched::processor& p) noexcept;

  /// Takes an armed operation back. True: no completion will come. False: one is on its way, and
  /// the next advance() must end the operation (with `cause` if nothing had moved).
  bool (*withdraw)(operation& op, task_ctl& task, sched::processor& p) noexcept;

  /// Makes `why` the final result. Called instead of, or after, a successful withdraw().
  void (*refuse)(operation& op, stop_reason why) noexcept;
};

struct operation {
  explicit operation(const operation_type& t, bool mask = false) noexcept
      : type(&t), name(t.name), masked(mask) {}
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;

  const operation_type* type;
  const char* name;  ///< For reports; its kind's unless it has a better one.
  /// This wait must not be broken by a request (joins of a scope, close).
  bool masked;
  /// Set when a withdrawal is in flight: why the operation ends if nothing moved.
  stop_reason cause = stop_reason::none;
};

}  // namespace cove::detail
