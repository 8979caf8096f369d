#pragma once

#include <cove/runtime/detail/pooled.hpp>
#include <cove/runtime/detail/task_ctl.hpp>

#include <memory>
#include <new>

// The queue that all workers share: tasks that come from outside, one by one, and what a worker's
// ring could not hold, in batches. A batch is an array of pointers, because its tasks are cold by
// the time that somebody takes it, and the scheduler's lock is held meanwhile: walking a list of
// 128 tasks that another CPU used last takes longer than running them.

namespace cove::sched {

/// Tasks on their way from one worker's ring to another's.
struct task_batch : detail::pooled {
  static constexpr unsigned capacity = 129;  ///< Half a ring, and the task that found it full.

  /// An empty one; null without memory.
  static std::unique_ptr<task_batch> make() noexcept {
    try {
      return std::make_unique<task_batch>();
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  task_batch* next = nullptr;
  unsigned first = 0;  ///< The tasks are those from here
  unsigned end = 0;    ///< up to here.
  detail::task_ctl* tasks[capacity];
};

/// Threads: under the scheduler's lock.
class global_queue {
 public:
  global_queue() noexcept = default;
  global_queue(const global_queue&) = delete;
  global_queue& operator=(const global_queue&) = delete;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  void push(detail::task_ctl& task) noexcept {
    singles_.push(task);
    ++size_;
  }
  void push(std::unique_ptr<task_batch> batch) noexcept {
    size_ += batch->end - batch->first;
    (last_ != nullptr ? last_->next : first_) = batch.get();
    last_ = batch.release();
  }

  /// Takes up to `most` tasks, in turns from what came alone and from what came in batches: gives
  /// the first, null if there is none, and calls `keep(task)` with the others. Batches that are
  /// empty now are put before `empty`: the caller deletes them, without the lock.
  template <class Keep>
  detail::task_ctl* take(std::size_t most, task_batch*& empty, Keep keep) noexcept {
    detail::task_ctl* first = nullptr;
    const auto give = [&first, &keep](detail::task_ctl* task) {
      if (first == nullptr)
        first = task;
      else
        keep(*task);
    };
    batches_first_ = !batches_first_;
    std::size_t taken = batches_first_ ? take_from_batches(most, empty, give) : 0;
    for (; taken < most && !singles_.empty(); ++taken) give(singles_.pop());
    if (taken < most) taken += take_from_batches(most - taken, empty, give);
    size_ -= taken;
    return first;
  }

 private:
  template <class Give>
  std::size_t take_from_batches(std::size_t most, task_batch*& empty, Give give) noexcept {
    std::size_t taken = 0;
    while (taken < most && first_ != nullptr) {
      for (; taken < most && first_->first < first_->end; ++taken)
        give(first_->tasks[first_->first++]);
      if (first_->first < first_->end) break;
      task_batch* done = first_;
      first_ = done->next;
      if (first_ == nullptr) last_ = nullptr;
      done->next = empty;
      empty = done;
    }
    return taken;
  }

  detail::task_list singles_;
  task_batch* first_ = nullptr;
  task_batch* last_ = nullptr;
  std::size_t size_ = 0;
  bool batches_first_ = false;
};

}  // namespace cove::sched
