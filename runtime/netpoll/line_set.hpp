#pragma once

#include "netpoll/backend.hpp"
#include "netpoll/desc_table.hpp"
#include "netpoll/waker.hpp"

#include <poll.h>

#include <condition_variable>
#include <ctime>
#include <mutex>
#include <span>
#include <vector>

namespace cove::netpoll {

/// What `poll` and `select` have in common: the system is given the whole set with each call, one
/// line for each descriptor that somebody waits for. The protocol stands at the head of
/// line_set.cpp.
class line_set : public backend {
 public:
  netpoll::model model() const noexcept final { return netpoll::model::level; }
  int limit() const noexcept final { return limit_; }
  std::error_code open(poll_desc& desc) noexcept final;
  bool close(poll_desc& desc) noexcept final;
  std::error_code watch(poll_desc& desc, awaited what) noexcept final;
  void poll(unsigned lane, detail::task_list& ready) noexcept final;
  void wait(std::int64_t delay_ns, detail::task_list& ready) noexcept final;
  void wake() noexcept final { waker_.wake(); }
  bool woken() const noexcept final { return waker_.woken(); }
  std::size_t watched() const noexcept final { return watched_.load(std::memory_order_relaxed); }

 protected:
  /// `limit`: descriptor numbers are below it; INT_MAX if there is none.
  /// Throws error if the system gives no eventfd, or only one beyond the limit.
  line_set(desc_table& table, const char* name, int limit);

 private:
  /// The system call: fills in what is so of `lines` (POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP,
  /// POLLNVAL), and gives how many say something, or -1. Waits until then or for `at_most`
  /// (nullptr: without limit). Called by the thread in poll() and the one in wait(), at once.
  virtual int ask(std::span<pollfd> lines, const timespec* at_most) noexcept = 0;

  /// What is asked, and for whom: the tag of each line's poll descriptor.
  struct sheet {
    std::vector<pollfd> lines;
    std::vector<std::uint64_t> tags;

    bool holds(std::size_t count) const noexcept;
    void reserve(std::size_t count);
    void copy(const sheet& from) noexcept;
  };
  /// A copy for the length of one system call.
  struct view {
    sheet now;    ///< The thread in poll() or wait() only; its capacity changes under lock_.
    sheet spare;  ///< Under lock_: takes the place of `now` at the next copy, if that is too small.
  };
  /// Where a poll descriptor, by index, is found in the set.
  struct place {
    std::size_t line = nowhere;
    std::uint64_t copied = 0;  ///< The last copy for wait() that it was in.
  };

  /// How a turn of wait() ended: with nothing to return with, with something, or with a wake-up.
  enum class outcome { nothing, over, rung };

  static constexpr std::size_t nowhere = 0;  // The wakers' lines belong to nobody.
  static constexpr std::size_t waker_line = 0;
  static constexpr std::size_t changed_line = 1;
  static constexpr std::size_t first_line = 2;

  outcome wait_once(const timespec* at_most, detail::task_list& ready) noexcept;

  // Under lock_.
  void make_room(std::uint32_t index);
  void erase(std::size_t line) noexcept;
  void take(view& into) noexcept;
  void deliver(const sheet& answered, detail::task_list& ready) noexcept;
  void report(std::uint64_t tag, short revents, detail::task_list& ready) noexcept;

  // Constant.
  desc_table& table_;
  const int limit_;

  // Any thread.
  waker waker_;
  waker changed_;  ///< Rouses wait() without making it return.
  std::atomic<std::size_t> watched_{0};

  std::mutex lock_;
  std::condition_variable left_;  ///< The thread in wait() or poll() has left the kernel.
  // Under lock_.
  sheet all_;  ///< Begins with the lines of the two wakers.
  std::vector<place> places_;
  std::uint64_t copies_ = 0;  ///< Copies made for wait().
  bool inside_ = false;       ///< The last of them is in the kernel.
  std::uint64_t looks_ = 0;   ///< Copies made for poll().
  bool looking_ = false;      ///< The last of them is in the kernel.

  view polling_;
  view waiting_;
};

}  // namespace cove::netpoll
