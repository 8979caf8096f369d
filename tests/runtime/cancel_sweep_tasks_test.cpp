#include "support/cancel_sweep.hpp"

#include "support/stress.hpp"

#include <algorithm>
#include <array>

// The table of all waits for time and limits, and for tasks; for locks and channels it is in
// cancel_sweep_sync_test.cpp. To add one, write a fixture and a line; what a fixture is stands at
// the head of support/cancel_sweep.hpp.

namespace {

using cove::task;
using cove::test::counted;
using cove::test::line_of;
using cove::test::sweep_line;
using std::chrono_literals::operator""us;
using std::chrono_literals::operator""h;

// ----- time -----

struct short_sleep : counted {
  static constexpr bool external = true;
  task<> wait() {
    co_await cove::this_task::sleep_for(100us);
    ++got;
  }
  static bool give() { return false; }
};

struct timer_wait : counted {
  static constexpr bool external = true;
  cove::timer soon;
  timer_wait() { soon.expires_after(100us); }
  task<> wait() {
    const bool fired = co_await soon.wait();
    got += fired;
  }
  static bool give() { return false; }
};

struct interval_tick : counted {
  static constexpr bool external = true;
  cove::interval every{100us};
  task<> wait() {
    while (got < 3) {
      co_await every.tick();
      ++got;
    }
  }
  static bool give() { return false; }
  bool settled() const { return got == 3; }
};

struct rate_acquire : counted {
  static constexpr bool external = true;
  cove::rate_limiter slow{1, 100us, 1};
  rate_acquire() { static_cast<void>(slow.try_acquire()); }
  task<> wait() {
    co_await slow.acquire();
    ++got;
  }
  static bool give() { return false; }
};

// ----- limits -----

/// One thing to wait for.
struct one_event : counted {
  cove::event happened;
  bool give() {
    happened.set();
    return false;
  }
};

/// The limit stands around what it limits, and does not pass.
struct limited : one_event {
  task<> wait() {
    co_await cove::with_timeout(happened.wait(), 1h);
    ++got;
  }
};

struct stoppable : one_event {
  std::stop_source source;
  task<> wait() {
    co_await cove::cancel_on(source.get_token(), happened.wait());
    ++got;
  }
};

struct shielded_wait : one_event {
  static constexpr bool shielded = true;
  task<> wait() {
    co_await cove::shield(happened.wait());
    ++got;
  }
};

// ----- tasks -----

/// Three things to wait for, which happen one after the other.
struct three_events : counted {
  std::array<cove::event, 3> happened;
  std::size_t given = 0;
  bool give() {
    happened[given++].set();
    return given < happened.size();
  }
};

struct join : one_event {
  cove::join_handle<int> handle = cove::spawn([this] { return job(); });
  task<int> job() {
    co_await happened.wait();
    co_return 1;
  }
  task<> wait() {
    const int value = co_await handle;
    got += value;
  }
};

/// The call is made once, or not at all.
struct call_on_the_pool : counted {
  static constexpr bool external = true;
  void call() { ++got; }
  task<> wait() { co_await cove::blocking(&call_on_the_pool::call, this); }
  static bool give() { return false; }
};

struct scope_end : three_events {
  static task<> part(cove::event* of) { co_await of->wait(); }
  task<> wait() {
    auto body = [this](cove::scope& parts) -> task<> {
      for (auto& each : happened) parts.spawn(part, &each).detach();
      co_return;
    };
    co_await cove::with_scope(body);
    ++got;
  }
};

struct supervisor_end : three_events {
  task<> wait() {
    auto body = [this](cove::supervisor& parts) -> task<> {
      for (auto& each : happened) parts.spawn(scope_end::part, &each).detach();
      co_return;
    };
    co_await cove::with_supervisor(body);
    ++got;
  }
};

struct all_of : three_events {
  task<> wait() {
    co_await cove::when_all(happened[0].wait(), happened[1].wait(), happened[2].wait());
    ++got;
  }
};

struct all_settled : three_events {
  task<> wait() {
    auto [a, b, c] =
        co_await cove::when_all_settled(happened[0].wait(), happened[1].wait(), happened[2].wait());
    // It reports what a request ended; only three successes are a success.
    const bool whole = a && b && c;
    if (!whole) throw cove::canceled("when_all_settled");
    ++got;
  }
};

struct first_of : counted {
  std::array<cove::channel<int>, 2> from{cove::channel<int>(1), cove::channel<int>(1)};
  std::size_t given = 0;
  task<> wait() {
    auto ended = co_await cove::race(from[0].receive(), from[1].receive());
    // A loser that had its message all the same hands it over.
    if (auto& a = std::get<0>(ended.results)) got += a.value().value_or(0);
    if (auto& b = std::get<1>(ended.results)) got += b.value().value_or(0);
  }
  bool give() {
    static_cast<void>(from[given++].try_send(1));
    return given < from.size();
  }
  bool settled() {
    for (auto& each : from) got += each.try_receive().value_or(0);
    return got == static_cast<int>(given);
  }
};

struct each_concurrent : three_events {
  std::array<int, 3> visits{};
  task<> wait() {
    const auto visit = [this](cove::event& each) -> task<> {
      co_await each.wait();
      ++visits[static_cast<std::size_t>(&each - happened.data())];
    };
    co_await cove::for_each_concurrent(happened, 2, visit);
    ++got;
  }
  bool settled() const {
    return got == 1 && std::ranges::all_of(visits, [](int count) { return count >= 1; });
  }
};

/// Fails twice, sleeps in between, and waits within each attempt.
struct retried : counted {
  static constexpr bool external = true;
  cove::semaphore go_on{0};
  int given = 0;
  int failures = 0;
  task<> wait() {
    const auto job = [this]() -> task<> {
      auto permit = co_await go_on.acquire();
      static_cast<void>(permit.forget());
      if (++failures < 3)
        throw cove::error(std::make_error_code(std::errc::connection_refused), "expected");
    };
    constexpr cove::retry_policy quick{.first_delay = 5us, .most_delay = 10us};
    const auto ended = co_await cove::retry(quick, job).as_result();
    // Asked to end while an attempt failed, it gives that failure and tries no more.
    if (!ended) throw cove::canceled("retry");
    ++got;
  }
  bool give() {
    go_on.release();
    return ++given < 3;
  }
};

struct generated : counted {
  cove::semaphore made{0};
  int given = 0;
  int items = 0;
  static cove::generator<int> items_of(cove::semaphore* made) {
    for (;;) {
      auto permit = co_await made->acquire();
      static_cast<void>(permit.forget());
      co_yield 1;
    }
  }
  task<> wait() {
    auto source = items_of(&made);
    while (items < 3) {
      const int* item = co_await source.next();
      items += *item;
    }
    ++got;
  }
  bool give() {
    made.release();
    return ++given < 3;
  }
  bool settled() const { return got == 1 && items == 3 && made.available() == 0; }
};

constexpr sweep_line waits[] = {
    line_of<short_sleep>("sleep"),
    line_of<timer_wait>("timer"),
    line_of<interval_tick>("interval"),
    line_of<rate_acquire>("rate_limiter"),
    line_of<limited>("with_timeout"),
    line_of<stoppable>("cancel_on"),
    line_of<shielded_wait>("shield"),
    line_of<join>("join"),
    line_of<call_on_the_pool>("blocking"),
    line_of<scope_end>("the end of a scope"),
    line_of<supervisor_end>("the end of a supervisor"),
    line_of<all_of>("when_all"),
    line_of<all_settled>("when_all_settled"),
    line_of<first_of>("race"),
    line_of<each_concurrent>("for_each_concurrent"),
    line_of<retried>("retry"),
    line_of<generated>("generator"),
};

TEST_CASE("K17 K20 every wait for time or tasks, asked to end at each of its moments") {
  cove::test::sweep(waits, cove::test::plain_options());
}

TEST_CASE("K17 every wait for time or tasks, asked to end by others and by timers") {
  constexpr int rounds = cove::test::sanitized ? 60 : 300;
  cove::test::race_against(waits, cove::test::plain_options(), cove::test::stress_seed(), rounds);
}

}  // namespace
