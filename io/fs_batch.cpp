#include <cove/io/fs_batch.hpp>

#include <cove/runtime/when_all.hpp>

#include "path_calls.hpp"

#include <algorithm>
#include <span>

// One run of a batch. The list is there and does not change; each thread that shares in it takes
// the next few calls off it until there are none. So a thread whose calls wait for a disk takes
// fewer of them, and nobody has to know beforehand which these are. A share that gets no thread, or
// that is asked to end while it waits for one, leaves its part to the others.

namespace cove::io {
namespace detail {
namespace {

constexpr std::size_t taken_at_once = 16;

struct batch_run {
  explicit batch_run(std::span<path_job> list) noexcept : jobs(list) {}

  const std::span<path_job> jobs;
  cove::detail::atomic<std::size_t> next{0};  ///< Relaxed: each index is given to one thread.
  // Each share adds to these at its end, and what it wrote travels with its completion.
  cove::detail::atomic<std::size_t> made{0};
  cove::detail::atomic<std::size_t> failed{0};
};

/// `co_await batch_share(run)`: one thread's part; why it has not gone to the end of the list.
class [[nodiscard]] batch_share : public cove::detail::blocking_op {
 public:
  explicit batch_share(batch_run& of) noexcept
      : blocking_op(moves, cove::pool_lane::file), of_(of) {
    name = "fs::batch";
  }
  batch_share(batch_share&&) = delete;

  std::error_code await_resume() const noexcept {
    if (const std::error_code why = refusal()) return why;
    return broken_off_ ? code_of(cause) : std::error_code();
  }

 private:
  static void run(pool::job& which) noexcept { static_cast<batch_share&>(which).make_calls(); }
  static constexpr pool::job_type moves{run, hand_back};

  void make_calls() noexcept {
    while (!broken_off_) {
      const std::size_t first = of_.next.fetch_add(taken_at_once, std::memory_order_relaxed);
      if (first >= of_.jobs.size()) break;
      const std::size_t count = std::min(taken_at_once, of_.jobs.size() - first);
      for (path_job& each : of_.jobs.subspan(first, count))
        if (!each.made && !make_one(each)) break;
    }
    of_.made.fetch_add(made_, std::memory_order_relaxed);
    of_.failed.fetch_add(failed_, std::memory_order_relaxed);
  }

  /// False: it is asked to leave off.
  bool make_one(path_job& which) noexcept {
    broken_off_ = asked().load(std::memory_order_relaxed);
    if (broken_off_) return false;
    perform(which, asked());
    if (std::exchange(which.broken_off, false)) {
      which.made = false;
      broken_off_ = true;
      return false;
    }
    ++made_;
    if (which.code) ++failed_;
    return true;
  }

  batch_run& of_;
  std::size_t made_ = 0;
  std::size_t failed_ = 0;
  bool broken_off_ = false;
};

task<std::error_code> take_share(batch_run* of) {
  batch_share share(*of);
  co_return co_await std::move(share);
}

/// To wake a thread costs what some tens of calls do that wait for nothing.
std::size_t shares_for(std::size_t calls, unsigned most) noexcept {
  constexpr std::size_t calls_worth_it = 256;
  constexpr std::size_t shares_max = 4;
  if (most != 0) return std::min<std::size_t>(most, (calls + taken_at_once - 1) / taken_at_once);
  return std::clamp<std::size_t>(calls / calls_worth_it, 1, shares_max);
}

}  // namespace
}  // namespace detail

namespace fs {

std::error_code batch::outcome_of(const detail::path_job& job) noexcept {
  if (!job.made) return std::make_error_code(std::errc::operation_canceled);
  return job.code;
}

task<std::size_t> batch::run(unsigned threads) {
  if (made_ == size()) co_return 0;
  detail::batch_run all(jobs_);
  const std::size_t shares = detail::shares_for(size() - made_, threads);
  std::error_code why;
  if (shares == 1) {
    why = co_await detail::take_share(&all);
  } else {
    std::vector<task<std::error_code>> parts;
    parts.reserve(shares);
    for (std::size_t i = 0; i < shares; ++i) parts.push_back(detail::take_share(&all));
    auto together = when_all(std::move(parts));
    const auto ends = co_await std::move(together).as_result();
    if (!ends) why = ends.error();  // Asked to end before all of them began.
    if (ends)
      for (const std::error_code& end : *ends)
        if (end) why = end;
  }
  made_ += all.made.load(std::memory_order_relaxed);
  if (made_ == size()) co_return all.failed.load(std::memory_order_relaxed);
  const std::string context = "fs::batch of " + std::to_string(size());
  if (why == std::errc::operation_canceled && why.category() != category())
    throw canceled(context, made_);
  throw io_error(why, context, made_);
}

}  // namespace fs
}  // namespace cove::io
