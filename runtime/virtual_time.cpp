#include <cove/runtime/virtual_time.hpp>

#include <cove/runtime/this_task.hpp>

#include "sched/virtual_clock.hpp"
#include "state.hpp"

#include <memory>
#include <vector>

// A run under virtual time, seen from the thread that waits for it. How time passes stands in
// sched/virtual_clock.hpp.
//
//   1. the worker has come to its seat: each run begins alike
//   2. lead(), a task, starts the main task, waits for it, and asks all others to end
//   3. all have ended: the outcome is that of the main task
//      or all is quiet: that is the failure. Its report is made, then all are asked to end.
//   4. after a failure: all have ended, or they never will: then the runtime is put aside
// Step 2 asks from inside so that it happens at one moment of virtual time, in the same order each
// time.

namespace cove::detail {
namespace {

using sched::virtual_clock;

/// The end of a task, whatever it ended with.
class end_of : public awaitable_base, public join_op {
 public:
  explicit end_of(task_ctl& which) noexcept : join_op(&which) { name = "the main task"; }
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(*task_, *this, self);
  }
  void await_resume() const noexcept {}
};

struct drop_clock {
  void operator()(virtual_clock* which) const noexcept { which->release(); }
};

std::string seconds_text(std::int64_t ns) {
  std::string text = std::to_string(ns / 1'000'000'000) + ".";
  const std::string fraction = std::to_string(ns % 1'000'000'000);
  return text + std::string(9 - fraction.size(), '0') + fraction + " s";
}

/// Keeps what is left of a runtime whose tasks cannot end: they may refer to one another and to
/// what their test still has, so nothing of it is destroyed. It stays reachable, which tells leak
/// checkers that it is meant.
void put_aside(std::unique_ptr<runtime> which) {
  static std::mutex lock;
  static auto& kept = *new std::vector<std::unique_ptr<runtime>>;
  which->state().pool.end();
  which->state().scheduler.shut_down();
  const std::lock_guard guard(lock);
  kept.push_back(std::move(which));
}

}  // namespace

class virtual_run {
 public:
  explicit virtual_run(test::run_options&& chosen)
      : clock_(new virtual_clock(chosen.limit.count())),
        host_(new runtime(single(std::move(chosen.runtime)), clock_.get())) {}

  void play(virtual_main& main) {
    clock_->wait();
    join_handle<> leading;
    {
      const external_work beginning(*host_);
      leading = host_->spawn(lead, host_.get(), &main);
    }
    const bool ended = clock_->wait() == virtual_clock::state::ended;
    if (!ended) fail(leading.done());
    host_->wait(std::move(leading));
  }

 private:
  static runtime_options single(runtime_options chosen) {
    if (chosen.workers > 1)
      throw error(std::make_error_code(std::errc::invalid_argument),
                  "runtime_options::workers = " + std::to_string(chosen.workers),
                  "virtual time has one worker");
    chosen.workers = 1;
    chosen.spin = chosen.sysmon = false;
    return chosen;
  }

  /// However lead() ends.
  struct stop_at_end {
    runtime* host;
    ~stop_at_end() { host->request_stop(); }
  };

  static task<> lead(runtime* host, virtual_main* main) {
    this_task::set_name("cove::test::run");
    const stop_at_end others{host};
    end_of end(main->start());
    co_await end;
  }

  [[noreturn]] void fail(bool main_ended) {
    std::string text = "cove::test::run: ";
    if (clock_->take_limit())
      text += "the limit of virtual time has passed";
    else
      text += main_ended ? "the main task has ended, but others cannot"
                         : "nothing is left that could go on, and the main task has not ended";
    text += " (after " + seconds_text(clock_->now_ns() - virtual_clock::start_ns) +
            "; whoever wakes a task from outside has to hold a cove::external_work):\n";
    text += host_->report();
    {
      const external_work asking(*host_);
      host_->request_stop();
    }
    if (clock_->wait() == virtual_clock::state::ended) throw test::stuck(text);
    text += "these have not ended although they were asked to, and are left as they stand:\n";
    text += host_->report();
    clock_->retain();
    put_aside(std::move(host_));
    throw test::stuck(text);
  }

  const std::unique_ptr<virtual_clock, drop_clock> clock_;
  std::unique_ptr<runtime> host_;
};

void run_virtually(test::run_options chosen, virtual_main& main) {
  if (current_task() != nullptr)
    throw error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                "cove::test::run inside a task", "co_await instead: the worker would wait for it");
  if (chosen.limit.count() < 0)
    throw error(std::make_error_code(std::errc::invalid_argument), "run_options::limit",
                "it is negative");
  virtual_run(std::move(chosen)).play(main);
}

}  // namespace cove::detail
