#pragma once

#include <cove/io/fs.hpp>
#include <cove/runtime/task.hpp>

#include <vector>

namespace cove::io::fs {

/// Many calls on paths in one hop to the pool and back.
///
///     fs::batch jobs;
///     auto size = jobs.add(fs::stat("spool/a"));
///     auto gone = jobs.add(fs::remove("spool/b"));
///     co_await jobs.run();
///     if (jobs[size]) use(jobs[size]->size);   // a result<file_status>
///     jobs.take(gone);                         // or throws what remove("spool/b") would have
///
/// A call by itself takes two changes of threads, some 10 µs; in a batch it takes no more than a
/// loop of plain system calls. Any operation of fs can be added; it is told here instead of being
/// awaited. A large batch is shared by several threads, so its calls are made in no order: what one
/// of them needs of another belongs into the next run().
///
/// Threads:  one task at a time.
/// Lifetime: must outlive run().
class batch {
 public:
  /// Which call of its batch; gives what comes of it.
  template <class T>
  class ticket {
   public:
    using value_type = T;

   private:
    friend batch;
    explicit ticket(std::size_t index) noexcept : index_(index) {}
    std::size_t index_;
  };

  batch() noexcept = default;

  /// Puts a call on the list.
  template <class T>
  ticket<T> add(detail::path_call<T>&& call) {
    jobs_.push_back(std::move(call.job_));
    return ticket<T>(jobs_.size() - 1);
  }
  /// Makes room for so many calls at once.
  void reserve(std::size_t calls) { jobs_.reserve(calls); }

  /// Makes the calls that have not been made yet, and gives how many of these failed; one that
  /// fails does not keep others from being made. `threads`: how many share them at most; 0: as it
  /// pays, which is one for a few hundred and up to four for more.
  ///
  /// Errors:       resource_unavailable_try_again if the pool has no thread and the system gives
  ///               none.
  /// Cancellation: canceled or deadline_exceeded, as soon as those calls that have begun are
  ///               over. What has been made stands; made() says how many, and canceled has it as
  ///               transferred(). Another run() makes the others.
  task<std::size_t> run(unsigned threads = 0);

  /// What came of a call: its value or its error; operation_canceled if it has not been made.
  template <class T>
  result<T> operator[](ticket<T> which) const {
    const detail::path_job& job = at(which.index_);
    if (const std::error_code why = outcome_of(job)) return why;
    if constexpr (std::is_void_v<T>)
      return {};
    else
      return detail::take_answer<T>(job);
  }
  /// The value of a call, moved out of the batch; or throws what the call by itself would have
  /// thrown.
  template <class T>
  T take(ticket<T> which) {
    detail::path_job& job = at(which.index_);
    if (const std::error_code why = outcome_of(job)) detail::throw_path_error(job, why);
    return detail::take_answer<T>(job);
  }

  /// Calls on the list.
  std::size_t size() const noexcept { return jobs_.size(); }
  bool empty() const noexcept { return jobs_.empty(); }
  /// Those that have been made.
  std::size_t made() const noexcept { return made_; }
  /// Forgets all calls and what came of them.
  void clear() noexcept {
    jobs_.clear();
    made_ = 0;
  }

 private:
  detail::path_job& at(std::size_t index) noexcept {
    COVE_CHECK(index < jobs_.size(), "a ticket of another batch");
    return jobs_[index];
  }
  const detail::path_job& at(std::size_t index) const noexcept {
    COVE_CHECK(index < jobs_.size(), "a ticket of another batch");
    return jobs_[index];
  }
  static std::error_code outcome_of(const detail::path_job& job) noexcept;

  std::vector<detail::path_job> jobs_;
  std::size_t made_ = 0;
};

}  // namespace cove::io::fs
