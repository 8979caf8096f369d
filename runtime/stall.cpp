#include <cove/runtime/stall.hpp>

#include <cove/runtime/detail/log.hpp>
#include "clock.hpp"
#include "stall.hpp"
#include "state.hpp"

namespace cove {

std::string to_string(const stall_report& report) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(report.lasted).count();
  std::string text = "task " + report.task;
  if (report.spawner != 0) text += ", spawned by task " + std::to_string(report.spawner) + ",";
  text += " has kept thread " + std::to_string(report.thread) + " for " + std::to_string(ms) +
          " ms without giving way: ";
  text += report.blocked ? "it blocks" : "it computes";
  text += report.handed_on ? "; another thread runs what waited behind it" : "";
  text += report.blocked ? " (await blocking(f), or announce it by a blocking_scope)"
                         : " (await this_task::maybe_yield() now and then, or blocking(f))";
  if (!report.stack.empty()) text += "\n" + report.stack;
  return text;
}

namespace detail {
namespace {

constexpr std::int64_t answer_within_ns = 20'000'000;

}  // namespace

stall_watch::stall_watch(const runtime_options& options) : options_(options) {
  if (options.stall_stacks) signal_.emplace();
}

void stall_watch::tell(const sched::stall& seen) noexcept {
  try {
    stall_report report;
    report.task_id = seen.task;
    report.task = describe_task(seen.task, seen.name, seen.place);
    report.spawner = seen.spawner;
    report.thread = seen.thread;
    report.lasted = std::chrono::nanoseconds(seen.ns);
    report.blocked = seen.blocks;
    report.handed_on = seen.handed_on;
    native_stack stack;
    if (signal_ && !signal_->capture(seen.thread, answer_within_ns, stack))
      report.stack = describe(stack);
    write(report);
    if (options_.on_stall != nullptr) options_.on_stall(report, options_.stall_context);
  } catch (const std::bad_alloc&) {
    // The counters have it.
  }
}

void stall_watch::tell_short_of_threads(unsigned threads, bool refused) noexcept {
  if (shortages_.count(now_ns()) == 0) return;
  try {
    const std::string limit = std::to_string(options_.extra_threads);
    std::string text = "tasks wait behind threads that block: " + std::to_string(threads) +
                       " threads are there, and ";
    text += refused ? "the system refuses another one; look at ulimit -u and the cgroup's pids.max"
                    : "runtime_options::extra_threads (" + limit + ") allows no more; raise it";
    log(log_level::warning, text + ", or await blocking(f) in place of the calls that block");
  } catch (const std::bad_alloc&) {
    // The counters have it.
  }
}

void stall_watch::write(const stall_report& report) {
  const std::uint64_t stalls = stalls_.count(now_ns());
  if (stalls == 0) return;
  std::string text = to_string(report);
  if (stalls > 1) text += "; " + std::to_string(stalls - 1) + " other stalls since the last entry";
  log(log_level::warning, text);
}

}  // namespace detail
}  // namespace cove
