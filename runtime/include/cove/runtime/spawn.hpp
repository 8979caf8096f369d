#pragma once

#include <cove/runtime/detail/root.hpp>

namespace cove {

namespace detail {

/// Waits for a root to end.
extern const operation_type join_type;
struct join_op : operation {
  explicit join_op(task_ctl* whom) noexcept : operation(join_type), target(whom) {}
  task_ctl* target;
  std::error_code refused;  ///< Why there was no joining.
};

template <class T>
class join_awaiter;
template <class T>
class join_result_awaiter;

}  // namespace detail

/// The one who may wait for a spawned task, cancel it and take its result.
///
///     auto size = cove::spawn(measure, path);
///     ...
///     std::size_t bytes = co_await size;   // or: co_await size.as_result()
///
/// Awaiting gives the task's value once, or throws what left it; what an awaited handle receives,
/// nobody else hears of, except the scope that the task belongs to. Dropping the handle lets the
/// task go on.
///
/// Errors:       canceled if the task ended by cancellation or was spawned after the runtime began
///               to stop; operation_in_progress if another task is awaiting the same handle.
/// Cancellation: cancelling the waiting task leaves the awaited one alone; the handle stays good.
/// Threads:      may be moved between threads; one thread at a time.
/// Lifetime:     must not outlive its runtime while the task still runs.
template <class T = void>
class join_handle {
 public:
  join_handle() noexcept = default;
  join_handle(join_handle&& other) noexcept : root_(std::exchange(other.root_, nullptr)) {}
  join_handle& operator=(join_handle&& other) noexcept {
    if (this != &other) {
      detach();
      root_ = std::exchange(other.root_, nullptr);
    }
    return *this;
  }
  ~join_handle() { detach(); }

  /// Lets the task go on by itself; a failure goes to the handler of its supervisor.
  void detach() noexcept {
    if (root_ != nullptr) detail::drop_root(*std::exchange(root_, nullptr));
  }

  /// Asks the task to end: its current or next await throws canceled. Does not wait.
  void cancel() noexcept {
    if (root_ == nullptr) return;
    detail::task_list woken;
    detail::trigger(root_->own, detail::stop_reason::canceled, woken);
    detail::make_ready(woken);
  }

  /// Has the task ended? Awaiting would not wait.
  bool done() const noexcept {
    // acquire: the result was written before.
    return root_ == nullptr ||
           root_->join.load(std::memory_order_acquire) == detail::task_ctl::joined_done;
  }

  /// The task's number within its runtime; 0 for an empty handle.
  std::uint64_t id() const noexcept { return root_ != nullptr ? root_->id : 0; }

  /// Awaits the end without throwing what the system reports; see task::as_result().
  auto as_result() noexcept { return detail::join_result_awaiter<T>(*this); }

  /// Not for users: the root, for awaiters.
  detail::root<T>* root() const noexcept { return root_; }
  explicit join_handle(detail::root<T>* made) noexcept : root_(made) {}

 private:
  friend class detail::join_awaiter<T>;
  friend class detail::join_result_awaiter<T>;
  detail::root<T>* root_ = nullptr;
};

/// Starts `f(args...)` as a task of its own under the runtime's supervisor, and gives the handle to
/// wait for it. The callable and its arguments are copied or moved into the task and are
/// gone when it ends; capturing lambdas are safe here.
///
/// Errors:    error if the calling thread runs no cove task (use runtime::spawn there).
///            After the runtime began to stop nothing is started: callable and arguments are
///            destroyed here and the handle reports canceled.
/// Cancellation: the new task inherits nothing from the caller; it ends when its handle is
///            cancelled or the runtime stops. For parts of one job use with_scope.
/// Threads:   any worker of a runtime.
template <class F, class... Args>
  requires detail::spawnable<F, Args...>
join_handle<detail::spawned_value<F, Args...>> spawn(F&& f, Args&&... args);

/// Starts `f(args...)` with nobody to wait for it. An exception that leaves it ends the process,
/// unless runtime_options::on_detached_failure is set. Otherwise as spawn().
template <class F, class... Args>
  requires detail::spawnable<F, Args...>
void spawn_detached(F&& f, Args&&... args);

}  // namespace cove

#include <cove/runtime/detail/spawn_inl.hpp>
