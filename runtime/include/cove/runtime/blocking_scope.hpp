#pragma once

namespace cove {

namespace sched {
struct machine;
}

/// Marks a section that blocks its thread, in code that cannot await: a library that reads files, a
/// lock that may be held for long.
///
///     std::string read_config(const char* path) {
///       const cove::blocking_scope blocks;
///       std::ifstream from(path);
///       return {std::istreambuf_iterator<char>(from), {}};
///     }
///
/// A thread that blocks without saying so loses its processor to another one after 10 ms; inside of
/// a scope it does so after one or two, if there is something to do for it. Its task goes on behind
/// the section without a processor, until it awaits. Where awaiting is possible, `co_await
/// blocking(f)` is the better way: it takes no worker's thread.
///
/// Costs about as much as two calls of a function. Scopes nest. Outside of a task they do nothing.
///
/// Errors:       none. A task that suspends inside of a scope is ended with the program: the thread
///               would leave the section with another task.
/// Cancellation: none; the section is not broken off.
/// Threads:      ends in the thread in which it began.
/// Lifetime:     a local variable.
class [[nodiscard]] blocking_scope {
 public:
  /// As a parameter: the section is known to block for long, so the processor is handed on at once.
  /// That costs a wake-up of another thread, microseconds.
  struct for_long_t {};
  static constexpr for_long_t for_long{};

  blocking_scope() noexcept;
  explicit blocking_scope(for_long_t) noexcept;
  ~blocking_scope();
  blocking_scope(const blocking_scope&) = delete;
  blocking_scope& operator=(const blocking_scope&) = delete;

 private:
  sched::machine* machine_;  ///< Null outside of a task.
};

}  // namespace cove
