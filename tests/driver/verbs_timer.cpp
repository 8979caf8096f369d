#include "verbs.hpp"

// Timers that can be set again, and intervals.

namespace cove::driver {

/// A timer that counts its firings. A timer of the library tells of a firing those who wait, and
/// whoever sets or stops it afterwards; every setting is counted by the first of them.
///
/// Threads: any.
class counted_timer {
 public:
  bool reset(std::chrono::microseconds time) {
    const std::lock_guard guard(lock_);
    const bool active = alarm_.expires_after(time);
    if (!active) count();
    uncounted_ = true;
    return active;
  }
  bool stop() {
    const std::lock_guard guard(lock_);
    const bool stopped = alarm_.cancel();
    if (stopped)
      uncounted_ = false;
    else
      count();
    return stopped;
  }
  auto wait() { return alarm_.wait(); }
  std::uint64_t fired() {
    const std::lock_guard guard(lock_);
    if (!alarm_.is_pending()) count();
    return fired_;
  }

 private:
  void count() {
    if (std::exchange(uncounted_, false)) ++fired_;
  }

  timer alarm_;
  std::mutex lock_;
  bool uncounted_ = false;
  std::uint64_t fired_ = 0;
};

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

timer_ptr timer_of(const call& c) { return c.handles.find<counted_timer>(c.asked.text("h")); }

task<> run_timer(microseconds time, handle_table::reservation name) {
  auto made = std::make_shared<counted_timer>();
  static_cast<void>(made->reset(time));
  name.fill(std::move(made));
  co_return;
}

task<> prepare_timer(call& c) {
  static_cast<void>(c.asked.member("as"));
  const microseconds time = c.asked.required_time("us", "ms");
  return run_timer(time, c.new_handle());
}

task<> run_timer_reset(call& c, timer_ptr which, microseconds time) {
  c.members["active"] = which->reset(time);
  co_return;
}

task<> prepare_timer_reset(call& c) {
  return run_timer_reset(c, timer_of(c), c.asked.required_time("us", "ms"));
}

task<> run_timer_stop(call& c, timer_ptr which) {
  c.members["stopped"] = which->stop();
  co_return;
}

task<> prepare_timer_stop(call& c) { return run_timer_stop(c, timer_of(c)); }

task<> run_timer_wait(call& c, timer_ptr which) {
  static_cast<void>(co_await which->wait());
  c.members["fired"] = which->fired();
}

task<> prepare_timer_wait(call& c) { return run_timer_wait(c, timer_of(c)); }

task<> run_interval(call& c, std::chrono::milliseconds period, missed_tick missed,
                    std::int64_t count, microseconds stall) {
  interval every(period, missed);
  json& at = c.members["at_us"] = json::array();
  for (std::int64_t tick = 0; tick < count; ++tick) {
    static_cast<void>(co_await every.tick());
    at.push_back(duration_cast<microseconds>(clock::now() - c.began()).count());
    if (tick == 0 && stall.count() > 0) co_await this_task::sleep_for(stall);
  }
}

task<> prepare_interval(call& c) {
  const std::string policy = c.asked.choice("policy", {"burst", "delay", "skip"});
  missed_tick missed = missed_tick::burst;
  if (policy == "delay") missed = missed_tick::delay;
  if (policy == "skip") missed = missed_tick::skip;
  const std::int64_t count = c.asked.number("count");
  const std::chrono::milliseconds stall(c.asked.number_or("stall_ms", 0, 0, 86'400'000));
  return run_interval(c, std::chrono::milliseconds(c.asked.number("ms")), missed, count, stall);
}

const verb table[] = {
    {"timer", {"as", "us", "ms"}, prepare_timer},
    {"timer_reset", {"h", "us", "ms"}, prepare_timer_reset},
    {"timer_stop", {"h"}, prepare_timer_stop},
    {"timer_wait", {"h"}, prepare_timer_wait},
    {"interval", {"ms", "count", "policy", "stall_ms"}, prepare_interval},
};

}  // namespace

std::span<const verb> timer_verbs() { return table; }

}  // namespace cove::driver
