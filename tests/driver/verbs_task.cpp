#include "verbs.hpp"

#include <fstream>
#include <thread>

// Time, and what tasks do with one another.

namespace cove::driver {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono_literals::operator""us;

std::int64_t to_us(clock::duration time) { return duration_cast<microseconds>(time).count(); }

task<> run_sleep(call& c, microseconds time) {
  co_await this_task::sleep_for(time);
  const clock::duration slept = clock::now() - c.began();
  c.end();
  const microseconds due = std::max(time, microseconds::zero());
  c.members["late_us"] = std::chrono::floor<microseconds>(slept - due).count();
}

task<> prepare_sleep(call& c) { return run_sleep(c, c.asked.required_time("us", "ms")); }

task<> run_clock(call& c) {
  c.members["mono_us"] = to_us(clock::now().time_since_epoch());
  c.members["wall_us"] = to_us(std::chrono::system_clock::now().time_since_epoch());
  co_return;
}

task<> prepare_clock(call& c) { return run_clock(c); }

task<> run_yield(std::int64_t count) {
  for (std::int64_t done = 0; count < 0 || done < count; ++done) co_await this_task::yield();
}

task<> prepare_yield(call& c) { return run_yield(c.asked.number("count", -1)); }

task<> run_burn(microseconds time) {
  const auto end = clock::now() + time;
  while (clock::now() < end) {
  }
  co_return;
}

task<> prepare_burn(call& c) {
  const microseconds time = c.asked.required_time("us", "ms");
  return run_burn(std::clamp<microseconds>(time, microseconds::zero(), std::chrono::hours(24)));
}

/// A user's function that blocks. It runs on a thread of the pool.
void block(std::string touch, microseconds time, std::optional<std::string> text) {
  if (!touch.empty()) std::ofstream(touch).close();
  std::this_thread::sleep_for(time);  // tidy: allow (that is what it is for)
  if (text) throw std::runtime_error(*text);
}

task<> run_blocking(std::string touch, microseconds time, std::optional<std::string> text) {
  co_await blocking(block, std::move(touch), time, std::move(text));
}

task<> prepare_blocking(call& c) {
  std::optional<std::string> text;
  if (c.asked.has("throw")) text = c.asked.text("throw");
  return run_blocking(c.asked.text_or("touch", ""), c.asked.time("us", "ms").value_or(0us),
                      std::move(text));
}

task<> throw_text(std::string text) {
  throw std::runtime_error(text);
  co_return;
}

task<> run_throw(std::string text) {
  auto thrower = spawn(throw_text, std::move(text));
  co_await thrower;
}

task<> prepare_throw(call& c) { return run_throw(c.asked.text("text")); }

/// A task that spawns a task, and so on, `depth` of them.
task<> run_chain(scope* all, std::atomic<std::uint64_t>* ran, std::int64_t depth) {
  ran->fetch_add(1, std::memory_order_relaxed);
  if (depth > 1) all->spawn(run_chain, all, ran, depth - 1).detach();
  co_return;
}

task<> run_spawn_many(call& c, std::int64_t count, std::int64_t depth) {
  std::atomic<std::uint64_t> ran = 0;
  const auto body = [&](scope& all) -> task<> {
    for (std::int64_t each = 0; each < count; ++each)
      all.spawn(run_chain, &all, &ran, depth).detach();
    co_return;
  };
  auto chains = with_scope(body);
  const std::exception_ptr broken = co_await failure_of(std::move(chains));
  c.members["ran"] = ran.load();
  if (broken) std::rethrow_exception(broken);
}

task<> prepare_spawn_many(call& c) {
  const std::int64_t count = c.asked.number("count");
  return run_spawn_many(c, count, c.asked.number_or("depth", 1, 1));
}

task<> run_cancel(call& c, std::int64_t id) {
  c.members["found"] = c.all.requests.cancel(id);
  co_return;
}

task<> prepare_cancel(call& c) { return run_cancel(c, c.asked.number("op", 1)); }

const verb table[] = {
    {"cancel", {"op"}, prepare_cancel},   {"sleep", {"us", "ms"}, prepare_sleep},
    {"clock", {}, prepare_clock},         {"yield", {"count"}, prepare_yield},
    {"burn", {"us", "ms"}, prepare_burn}, {"blocking", {"ms", "touch", "throw"}, prepare_blocking},
    {"throw", {"text"}, prepare_throw},   {"spawn_many", {"count", "depth"}, prepare_spawn_many},
};

}  // namespace

std::span<const verb> task_verbs() { return table; }

}  // namespace cove::driver
