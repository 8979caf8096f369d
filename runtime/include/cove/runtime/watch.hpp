#pragma once

#include <cove/runtime/detail/message_log.hpp>

namespace cove {

namespace detail {

/// `co_await receiver.changed()`.
class [[nodiscard]] watch_changed : public log_wait {
 public:
  watch_changed(message_log& in, std::uint64_t& cursor) noexcept
      : log_wait(in, &cursor, "changed"), cursor_(&cursor) {}

  bool await_resume() {
    check_granted();
    if (found_.what.get() == nullptr) return false;
    *cursor_ = found_.number + 1;
    return true;
  }

  /// Gives a result with the bool, and does not throw.
  auto as_result() && noexcept { return result_of<watch_changed>(std::move(*this)); }

 private:
  std::uint64_t* cursor_;
};

}  // namespace detail

template <class T>
class watch;

/// Someone who watches a value.
///
/// Threads:  one thread, and one await, at a time. A copy has seen the same; it is on its own.
/// Lifetime: must not outlive the watch.
template <class T>
class watch_receiver {
 public:
  /// Waits until the value is another than the last one that this has seen, and counts that as
  /// seen. False is the end: it is closed, and the last change was seen.
  /// Errors:       canceled or deadline_exceeded; `changed().as_result()` reports these in place of
  ///               a throw.
  /// Cancellation: no change is lost.
  detail::watch_changed changed() noexcept { return {*in_, next_}; }
  /// As changed(), for a thread that is no worker. Blocks it.
  /// Errors: resource_deadlock_would_occur inside a task.
  bool changed_blocking() {
    detail::watch_changed wait(*in_, next_);
    wait.wait_as_thread();
    return wait.await_resume();
  }

  /// A copy of the latest value, which counts as seen.
  T get() {
    const detail::reading last = in_->last();
    T copy = detail::message_of<T>::in(last.what);
    next_ = last.number + 1;
    return copy;
  }

 private:
  friend class watch<T>;
  explicit watch_receiver(detail::message_log& in) noexcept : in_(&in), next_(in.end()) {}

  detail::message_log* in_;
  std::uint64_t next_;
};

/// The latest value of something: settings, a state. Who watches it hears that it changed, and may
/// miss values in between.
///
///     cove::watch<settings> current(read_settings());
///     auto mine = current.subscribe();
///     ...
///     current.set(read_settings());                                  // never waits
///     ...
///     while (co_await mine.changed()) apply(mine.get());
///
/// `T` can be copied: get() gives a copy, made outside of any lock.
///
/// Threads:  every function may be called by any thread.
/// Lifetime: must outlive its receivers.
template <class T>
class watch {
 public:
  using value_type = T;

  /// Throws std::bad_alloc.
  explicit watch(T initial) : log_(1) { set(std::move(initial)); }

  /// A receiver that has seen the value as it is now.
  watch_receiver<T> subscribe() noexcept { return watch_receiver<T>(log_); }

  /// Errors: closed: the value stays as it is; std::bad_alloc.
  void set(T value) {
    log_.publish(detail::message_ref(new detail::message_of<T>(std::move(value))));
  }
  /// A copy of the latest value.
  T get() const {
    const detail::reading last = log_.last();
    return detail::message_of<T>::in(last.what);
  }

  /// Nothing more changes; the value stays there to be read.
  void close() noexcept { log_.close(); }
  bool closed() const noexcept { return log_.closed(); }

 private:
  detail::message_log log_;
};

}  // namespace cove
