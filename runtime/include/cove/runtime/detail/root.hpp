#pragma once

#include <cove/runtime/detail/pooled.hpp>
#include <cove/runtime/task.hpp>

#include <tuple>

// The root of a spawned task: an object, no coroutine, with the control block, the callable and its
// arguments, and the coroutine that the callable gave. Being no coroutine it costs no frame of its
// own to resume and no more memory than it has members: a server has one for each connection.
//
//   begin    the worker calls the callable and resumes what that gave
//   end      the coroutine has come to its end: its outcome moves into the root; the coroutine, the
//            callable and the arguments go, in this order
//   destroy  whoever comes second, the end of the task or that of its handle (spawn.cpp)
//
// begin and end run as the task, so destructors in there may ask who they are.

namespace cove::detail {

/// The moves of one kind of root.
struct root_type {
  /// The coroutine to resume; null if the task ended before it had one.
  std::coroutine_handle<> (*begin)(task_ctl& task) noexcept;
  void (*end)(task_ctl& task) noexcept;
  void (*destroy)(task_ctl& task) noexcept;
};

/// What does not depend on types: where the memory comes from, and where a failure goes.
class root_base : public task_ctl, public pooled {
 protected:
  explicit root_base(const root_type& chosen) noexcept { type = &chosen; }

  /// Throws if the task was asked to end before it began.
  void check_start() const;
  /// What was thrown is the task's outcome.
  void fail(std::exception_ptr why) noexcept;
};

/// A root as its handle knows it: with the task's value.
template <class T>
class root : public root_base {
 public:
  /// Holder of the handle, once the task has ended.
  T take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
    return outcome_.take_value();
  }

 protected:
  using root_base::root_base;

  void keep_outcome(task_promise<T>& from) {
    if constexpr (std::is_void_v<T>)
      from.take();
    else
      outcome_.return_value(from.take());
  }

 private:
  returning<T> outcome_;
};

/// A callable with its arguments, gone when the body ends, whoever still holds the root.
template <class F, class... Args>
class held_call {
 public:
  template <class G, class... Given>
  explicit held_call(G&& f, Given&&... args)
      : parts_(std::forward<G>(f), std::forward<Given>(args)...) {}

  decltype(auto) operator()() {
    return std::apply(
        [](F& f, Args&... args) -> decltype(auto) { return std::move(f)(std::move(args)...); },
        parts_);
  }

 private:
  std::tuple<F, Args...> parts_;
};

template <class T, class Call>
class root_of final : public root<T> {
 public:
  template <class... Parts>
  explicit root_of(Parts&&... parts) : root<T>(moves), call_(std::forward<Parts>(parts)...) {}
  ~root_of() { drop_call(); }
  root_of(const root_of&) = delete;
  root_of& operator=(const root_of&) = delete;

 private:
  static root_of& of(task_ctl& task) noexcept { return static_cast<root_of&>(task); }

  static std::coroutine_handle<> begin(task_ctl& task) noexcept {
    root_of& self = of(task);
    try {
      self.check_start();
      self.body_.adopt(self.call_(), task);
      return self.body_.frame();
    } catch (...) {
      self.fail(std::current_exception());
    }
    self.drop_call();
    return {};
  }

  static void end(task_ctl& task) noexcept {
    root_of& self = of(task);
    try {
      self.keep_outcome(self.body_.frame().promise());
    } catch (...) {
      self.fail(std::current_exception());
    }
    self.body_.reset();
    self.drop_call();
  }

  static void destroy(task_ctl& task) noexcept { delete &of(task); }

  void drop_call() noexcept {
    if (std::exchange(this->holds_call, false)) call_.~Call();
  }

  static constexpr root_type moves{begin, end, destroy};

  root_body<T> body_;
  union {
    Call call_;  ///< While `holds_call`; an optional would need room for its own flag.
  };
};

/// What `f(args...)` yields: the T of its task<T>.
template <class F, class... Args>
using spawned_value =
    typename std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>::value_type;

/// `f(args...)` can be run as a task: f is called with what spawn stores.
template <class F, class... Args>
concept spawnable = std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...> &&
                    requires { typename spawned_value<F, Args...>; };

/// Starts a root in `group`; false if that takes no more tasks.
bool start_root(task_group& group, task_ctl& task) noexcept;

/// The group that spawn() uses: the runtime's own, of the task that runs. Throws outside of one.
task_group& current_root_group();

/// A join handle goes: the task is on its own, or its root is freed.
void drop_root(task_ctl& task) noexcept;

}  // namespace cove::detail
