#pragma once

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/detail/job.hpp>

#include <cstddef>

namespace cove::pool {

/// Jobs that wait for a thread, in the order in which they came.
/// Threads: under the lock of the lane that has it.
class job_queue {
 public:
  std::size_t size() const noexcept { return size_; }

  /// The one that came first; null if there is none.
  const job* front() const noexcept { return first_; }

  void push(job& which) noexcept {
    COVE_ASSERT(!which.queued);
    which.queued = true;
    which.previous = last_;
    which.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &which;
    last_ = &which;
    ++size_;
  }

  /// Takes out the one that came first; null if there is none.
  job* pop() noexcept {
    job* which = first_;
    if (which != nullptr) remove(*which);
    return which;
  }

  /// Takes out one that is in it.
  void remove(job& which) noexcept {
    COVE_ASSERT(which.queued);
    which.queued = false;
    (which.previous != nullptr ? which.previous->next : first_) = which.next;
    (which.next != nullptr ? which.next->previous : last_) = which.previous;
    --size_;
  }

 private:
  job* first_ = nullptr;
  job* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cove::pool
