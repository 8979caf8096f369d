#include "verbs.hpp"

#include <algorithm>
#include <deque>

// Requests made of requests. Each step is a call of its own that never throws, so a composite ends
// when its steps have ended, and tells how they did.

namespace cove::driver {
namespace {

// ----- seq -----

task<> run_seq(call& c, bool keep) {
  json& results = c.members["results"];
  for (const json& step : c.asked.steps("ops")) {
    call each(c.all, step, c.handles, c.runtime, true);
    co_await perform(each);
    co_await keep_guarded(each);
    results.push_back(each.reply());
    if (each.error_class().empty()) continue;
    c.fail(each.error_class(), "step " + std::to_string(results.size()) + " of the sequence");
    if (!keep) break;
  }
}

task<> prepare_seq(call& c) {
  static_cast<void>(c.asked.steps("ops"));
  c.members["results"] = json::array();
  return run_seq(c, c.asked.flag("keep"));
}

// ----- par -----

task<> tell_results(call& c, std::deque<call>& steps) {
  for (call& step : steps) {
    if (!step.has_ended()) step.fail("cancelled", "cancelled before it began");
    co_await keep_guarded(step);
    c.members["results"].push_back(step.reply());
  }
}

task<> perform_step(call* step) { co_await perform(*step); }

task<> run_par(call& c) {
  std::deque<call> steps;
  for (const json& step : c.asked.steps("ops"))
    steps.emplace_back(c.all, step, c.handles, c.runtime, true);
  const auto body = [&steps](scope& parts) -> task<> {
    for (call& step : steps) parts.spawn(perform_step, &step).detach();
    co_return;
  };
  auto all = with_scope(body);
  const std::exception_ptr broken = co_await failure_of(std::move(all));
  co_await tell_results(c, steps);
  if (broken) std::rethrow_exception(broken);
}

task<> prepare_par(call& c) {
  static_cast<void>(c.asked.steps("ops"));
  c.members["results"] = json::array();
  return run_par(c);
}

// ----- race -----

/// A step of a race has to fail as an operation does, or it would win.
class step_failed : public std::exception {};

task<> run_step(call* step) {
  co_await perform(*step);
  if (step->error_class() == "cancelled") throw canceled("step");
  if (!step->error_class().empty()) throw step_failed();
}

task<> run_steps(std::vector<task<>> runners, json* winner) {
  const auto ended = co_await race(std::move(runners));
  *winner = ended.index;
}

task<> run_race(call& c) {
  std::deque<call> steps;
  std::vector<task<>> runners;
  for (const json& step : c.asked.steps("ops")) {
    steps.emplace_back(c.all, step, c.handles, c.runtime, true);
    runners.push_back(run_step(&steps.back()));
  }
  auto racing = run_steps(std::move(runners), &c.members["winner"]);
  const std::exception_ptr broken = co_await failure_of(std::move(racing));
  co_await tell_results(c, steps);
  if (!broken) co_return;
  c.members.erase("winner");
  try {
    std::rethrow_exception(broken);
  } catch (const step_failed&) {
    const auto failed = [](const call& step) { return step.error_class() != "cancelled"; };
    const auto first = std::find_if(steps.begin(), steps.end(), failed);
    c.fail(first->error_class(), "every step failed");
  }
}

task<> prepare_race(call& c) {
  static_cast<void>(c.asked.steps("ops"));
  c.members["results"] = json::array();
  return run_race(c);
}

// ----- loop -----

/// The rounds of a loop: how many are still to come, and how those that were ended.
class rounds {
 public:
  rounds(std::int64_t count, std::string stop_on) : left_(count), stop_on_(std::move(stop_on)) {}

  bool next() {
    const std::lock_guard guard(lock_);
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  void ended(const std::string& error_class) {
    const std::lock_guard guard(lock_);
    ++outcomes_[error_class.empty() ? "ok" : error_class];
    if (!stop_on_.empty() && error_class == stop_on_) left_ = 0;
  }
  json outcomes() {
    const std::lock_guard guard(lock_);
    return outcomes_;
  }

 private:
  std::mutex lock_;
  std::int64_t left_;
  const std::string stop_on_;
  std::map<std::string, std::uint64_t> outcomes_;
};

/// One lane of the loop. Each round has names of its own, which go with it.
task<> run_lane(call* c, rounds* all) {
  while (all->next()) {
    handle_table own(&c->handles);
    call each(c->all, c->asked.member("op"), own, c->runtime, true);
    co_await perform(each);
    co_await keep_guarded(each);
    all->ended(each.error_class());
    co_await this_task::yield();  // Ends the lane if all of it was cancelled.
  }
}

task<> run_loop(call& c, std::int64_t lanes, std::int64_t count, std::string stop_on) {
  rounds all(count, std::move(stop_on));
  const auto body = [&](scope& parts) -> task<> {
    for (std::int64_t lane = 0; lane < lanes; ++lane) parts.spawn(run_lane, &c, &all).detach();
    co_return;
  };
  auto all_lanes = with_scope(body);
  const std::exception_ptr broken = co_await failure_of(std::move(all_lanes));
  c.members["outcomes"] = all.outcomes();
  if (broken) std::rethrow_exception(broken);
}

task<> prepare_loop(call& c) {
  if (!c.asked.member("op").is_object()) throw refusal::bad_request("\"op\" has to be a request");
  const std::int64_t count = c.asked.number("count");
  const std::int64_t lanes = c.asked.number_or("par", 1, 1, 100'000);
  return run_loop(c, std::min(lanes, count), count, c.asked.text_or("stop_on", ""));
}

const verb table[] = {
    {"seq", {"ops", "keep"}, prepare_seq},
    {"par", {"ops"}, prepare_par},
    {"race", {"ops"}, prepare_race},
    {"loop", {"op", "count", "par", "stop_on"}, prepare_loop},
};

}  // namespace

std::span<const verb> composite_verbs() { return table; }

}  // namespace cove::driver
