#pragma once

// The templates behind spawn.hpp.

namespace cove::detail {

template <class T>
class join_awaiter : public awaitable_base, public join_op {
 public:
  explicit join_awaiter(join_handle<T>& handle, task_ctl* task = nullptr) noexcept
      : awaitable_base{task}, join_op(handle.root_), root_(handle.root_) {}
  /// Before its start only.
  join_awaiter(join_awaiter&& other) noexcept
      : awaitable_base{other.task_}, join_op(other.target), root_(other.root_) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    // A task that was spawned just now is run rather than waited for.
    if (target != nullptr && run_before(*target, *task_, *this, self)) return true;
    return suspend(*task_, *this, self);
  }
  T await_resume() {
    if (refused) throw_error(refused, "join");
    return root_->take();
  }

 protected:
  root<T>* root_;
};

template <class T>
class join_result_awaiter : public join_awaiter<T> {
 public:
  explicit join_result_awaiter(join_handle<T>& handle) noexcept : join_awaiter<T>(handle) {}

  result<T> await_resume() {
    if (this->refused) return this->refused;
    try {
      if constexpr (std::is_void_v<T>) {
        this->root_->take();
        return {};
      } else {
        return this->root_->take();
      }
    } catch (const std::system_error& failure) {
      return failure.code();
    }
  }
};

template <class U>
auto promise_base::await_transform(join_handle<U>& handle, std::source_location where) noexcept {
  ctl_->where.store(where, std::memory_order_relaxed);
  return join_awaiter<U>(handle, ctl_);
}
template <class U>
auto promise_base::await_transform(join_handle<U>&& handle, std::source_location where) noexcept {
  ctl_->where.store(where, std::memory_order_relaxed);
  return join_awaiter<U>(handle, ctl_);
}

/// Makes the task and starts it in `group`.
template <class F, class... Args>
join_handle<spawned_value<F, Args...>> spawn_into(task_group& group, bool terminates, F&& f,
                                                  Args&&... args) {
  using value = spawned_value<F, Args...>;
  using call = held_call<std::decay_t<F>, std::decay_t<Args>...>;
  auto* made = new root_of<value, call>(std::forward<F>(f), std::forward<Args>(args)...);
  made->terminates = terminates;
  if (!start_root(group, *made)) {
    delete made;
    return {};
  }
  return join_handle<value>(made);
}

}  // namespace cove::detail

namespace cove {

template <class F, class... Args>
  requires detail::spawnable<F, Args...>
join_handle<detail::spawned_value<F, Args...>> spawn(F&& f, Args&&... args) {
  return detail::spawn_into(detail::current_root_group(), false, std::forward<F>(f),
                            std::forward<Args>(args)...);
}

template <class F, class... Args>
  requires detail::spawnable<F, Args...>
void spawn_detached(F&& f, Args&&... args) {
  detail::spawn_into(detail::current_root_group(), true, std::forward<F>(f),
                     std::forward<Args>(args)...)
      .detach();
}

}  // namespace cove
