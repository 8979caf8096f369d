#pragma once

// Cancels one wait at every moment at which it can be cancelled.
//
// A line of a table says what is waited for: a fixture with
//
//     task<> wait()     the wait, with what it needs of accounting; may be tried a second time
//     bool give()       gives the next part of what the wait needs; false: that was all
//     bool settled()    at the end: exactly one wait got what was given, nothing is left over
//
// and, where it needs them, `static task<std::unique_ptr<Fixture>> make()`, which constructs it,
// and `task<> finish()`, which waits for helpers of its own.
//
// What is given is enough for one wait. So when the first one was cancelled, a second one has to
// succeed with it, with what was given before the request and what is given after it; when the
// first one succeeded there is no second. This is how the sweep sees that nothing was lost, nothing
// was given twice, and the primitive still works, without knowing any of them.
//
// One worker runs the tasks in an order that repeats. The driver of a round gives way once a tick,
// gives when nobody else can run, and asks the wait to end at tick 0, 1, 2, ..., before or after
// the gift of that tick, until the wait ends before it is asked. So every suspension of the wait
// and of its children is met, and every gift in the same moment as the request. With several
// workers the same is a race: the request comes from another task or from a timer.

#include "support/runtime_test.hpp"

#include <cove/runtime/stop_token.hpp>

#include <memory>
#include <random>

namespace cove::test {

/// For fixtures: how often a wait got what it waits for.
struct counted {
  int got = 0;
  bool settled() const { return got == 1; }
};

/// Who asks the wait of a round to end.
enum class asks_by : std::uint8_t {
  handle,  ///< The driver, through the task's handle, at a tick.
  itself,  ///< The waiting task, before its first await.
  token,   ///< Another task, through a std::stop_source, at a tick.
  timer,   ///< A limit around the wait.
};

struct sweep_round {
  asks_by who = asks_by::handle;
  std::size_t tick = 0;
  bool after_gift = false;  ///< In the same tick, but behind its gift.
  bool given = false;       ///< All is given before the wait begins.
  clock::duration limit{};  ///< timer

  std::string describe() const {
    static constexpr const char* names[] = {"handle", "itself", "token", "timer"};
    return std::string(names[static_cast<int>(who)]) + ", tick " + std::to_string(tick) +
           (after_gift ? " behind the gift" : "") + (given ? ", given before" : "") + ", limit " +
           std::to_string(limit.count()) + " ns";
  }
};

/// One line of a table of waits.
struct sweep_line {
  const char* name;
  /// Plays one round; true if the request came before the wait had ended.
  task<bool> (*play)(const char* name, sweep_round how);
  /// Is there no end but by a request? Then the sweep has to stop somewhere.
  bool endless;
};

/// What a runtime has of everything that can leak.
struct live_counts {
  explicit live_counts(const runtime_stats& from)
      : tasks(from.tasks_live), timers(from.timers), descriptors(from.descriptors) {}
  bool operator==(const live_counts&) const = default;
  static live_counts now() { return live_counts(runtime::current()->stats()); }

  std::uint64_t tasks;
  std::uint64_t timers;
  std::uint64_t descriptors;
};

namespace sweep_detail {

template <class Fixture>
constexpr bool is_endless = requires { Fixture::endless; };
/// The wait may succeed although it was asked to end before it began or while it was parked.
template <class Fixture>
constexpr bool is_shielded = requires { Fixture::shielded; };
/// What it waits for comes from the clock or the kernel: parked does not mean that nothing came.
template <class Fixture>
constexpr bool is_external = requires { Fixture::external; };

/// What the tasks of one round share.
template <class Fixture>
struct stage {
  explicit stage(sweep_round chosen) : how(chosen) {}

  sweep_round how;
  std::unique_ptr<Fixture> fixture;
  bool more = true;  ///< Not everything was given yet.
  join_handle<> first;
  std::stop_source source;
  std::atomic<std::size_t> tick{0};
  std::atomic<bool> ended{false};
  bool parked = false;  ///< When it was asked to end, everybody waited and nothing was to come.
};

template <class Fixture>
task<> attempt(stage<Fixture>* on) {
  const sweep_round how = on->how;
  if (how.who == asks_by::itself) on->first.cancel();
  auto wait = on->fixture->wait();
  if (how.who == asks_by::token)
    co_await cancel_on(on->source.get_token(), std::move(wait));
  else if (how.who == asks_by::timer)
    co_await with_timeout(std::move(wait), how.limit);
  else
    co_await std::move(wait);
}

/// The second wait, which nobody asks to end.
template <class Fixture>
task<> try_again(Fixture* fixture) {
  co_await fixture->wait();
}

template <class Fixture>
task<> ask_from_elsewhere(stage<Fixture>* on) {
  while (on->tick.load() < on->how.tick && !on->ended.load()) co_await this_task::yield();
  on->source.request_stop();
}

/// Can nobody but the calling task run? With several workers it is a guess.
inline bool nobody_else_runs() { return runtime::current()->stats().tasks_queued == 0; }

/// Gives way, and gives, until `waits` has ended. True if it was asked to end before that.
template <class Fixture>
task<bool> see_through(stage<Fixture>* on, join_handle<>* waits, bool is_first) {
  const bool by_handle = is_first && on->how.who == asks_by::handle;
  bool asked = is_first && on->how.who == asks_by::itself;
  // What has no end of its own is given what it needs for its second try only.
  const bool may_give = !is_first || !is_endless<Fixture>;
  for (std::size_t tick = 0; !waits->done(); ++tick) {
    const bool now = by_handle && tick == on->how.tick;
    // Before the request: its gift has to come before the one who was asked can run.
    const bool quiet = nobody_else_runs();
    if (now && !on->how.after_gift) {
      on->parked = tick != 0 && quiet && !(on->more && may_give);
      asked = true;
      waits->cancel();
    }
    if (on->more && may_give && quiet) on->more = on->fixture->give();
    if (now && on->how.after_gift) asked = true, waits->cancel();
    on->tick.store(tick);
    co_await this_task::yield();
  }
  co_return asked;
}

inline bool is_a_request(std::error_code code) {
  return code == std::errc::operation_canceled || code == errc::deadline_exceeded;
}

template <class Fixture>
task<std::unique_ptr<Fixture>> make_fixture() {
  if constexpr (requires { Fixture::make(); }) {
    auto made = co_await Fixture::make();
    co_return made;
  } else {
    co_return std::make_unique<Fixture>();
  }
}

template <class Fixture>
task<bool> play(const char* name, sweep_round how) {
  const std::string round = std::string(name) + ": " + how.describe();
  const live_counts before = live_counts::now();
  bool asked = false;
  {
    stage<Fixture> on(how);
    on.fixture = co_await make_fixture<Fixture>();
    constexpr int gifts_most = 8;
    for (int i = 0; how.given && on.more && i < gifts_most; ++i) on.more = on.fixture->give();
    on.first = spawn(attempt<Fixture>, &on);
    join_handle<> asking;
    if (how.who == asks_by::token) asking = spawn(ask_from_elsewhere<Fixture>, &on);
    asked = co_await see_through(&on, &on.first, true);
    on.ended = true;
    if (asking.id() != 0) co_await asking;
    const result<void> first = co_await on.first.as_result();
    const bool done = first.has_value();
    CHECK_MESSAGE((done || is_a_request(first.error())), round, " ended with ",
                  first.error().message());
    const bool waited = on.parked && !is_external<Fixture>;
    const bool must_end = (how.who == asks_by::itself || waited) && !is_shielded<Fixture>;
    CHECK_MESSAGE(!(done && must_end), round, " did not see the request");
    if (!done) {
      auto second = spawn(try_again<Fixture>, on.fixture.get());
      static_cast<void>(co_await see_through(&on, &second, false));
      const result<void> again = co_await second.as_result();
      CHECK_MESSAGE(again.has_value(), round, ": the next wait fails");
    }
    if constexpr (requires { on.fixture->finish(); }) co_await on.fixture->finish();
    CHECK_MESSAGE(on.fixture->settled(), round, " (", (done ? "done" : "ended"),
                  "): what was given is lost, or was given twice");
  }
  const auto as_before = [before] { return live_counts::now() == before; };
  co_await eventually(as_before);
  co_return asked;
}

inline task<> sweep_one(const sweep_line* line) {
  sweep_round how;
  how.who = asks_by::itself;
  static_cast<void>(co_await line->play(line->name, how));
  if (!line->endless) {
    how.given = true;
    static_cast<void>(co_await line->play(line->name, how));
    how.given = false;
  }
  how.who = asks_by::handle;
  constexpr std::size_t ticks_endless = 48;
  // Each tick at first; a wait that takes thousands waits for time or for the network.
  for (how.tick = 0;; how.tick += 1 + how.tick / 32) {
    bool asked = false;
    how.after_gift = false;
    asked |= co_await line->play(line->name, how);
    how.after_gift = true;
    asked |= co_await line->play(line->name, how);
    if (!asked || (line->endless && how.tick > ticks_endless)) break;
  }
}

inline task<> race_one(const sweep_line* line, std::uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  sweep_round how;
  for (int i = 0; i < rounds; ++i) {
    how.tick = random() % 24;
    how.limit = std::chrono::nanoseconds(random() % 100'000);
    how.who = asks_by::token;
    if (i % 3 == 0) how.who = asks_by::timer;
    static_cast<void>(co_await line->play(line->name, how));
  }
}

}  // namespace sweep_detail

template <class Fixture>
constexpr sweep_line line_of(const char* name) {
  return {name, sweep_detail::play<Fixture>, sweep_detail::is_endless<Fixture>};
}

/// Every moment of every line, on one worker.
template <std::size_t N>
void sweep(const sweep_line (&table)[N], runtime_options options) {
  options.workers = 1;
  for (const sweep_line& line : table)
    run_in(options, [&line]() { return sweep_detail::sweep_one(&line); });
}

/// Every line against requests from other workers and from timers, at random moments.
template <std::size_t N>
void race_against(const sweep_line (&table)[N], runtime_options options, std::uint64_t seed,
                  int rounds) {
  options.workers = 4;
  for (const sweep_line& line : table) {
    const auto all = [&line, seed, rounds] { return sweep_detail::race_one(&line, seed, rounds); };
    run_in(options, all);
  }
}

}  // namespace cove::test
