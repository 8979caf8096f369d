#include <cove/runtime/virtual_time.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <optional>

// Time is virtual here, so what these tests say of time they say exactly.

namespace {

using cove::clock;
using cove::event;
using cove::external_work;
using cove::join_handle;
using cove::task;
using cove::test::code_of;
using cove::test::eventually;
using cove::test::forever;
using cove::test::numbers;
using cove::test::outcome_of;
using cove::test::run_options;
using cove::test::stuck;
using cove::test::until_idle;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""s;

using steady = std::chrono::steady_clock;

/// What test::run says of a main task that gets stuck.
template <class F>
std::string stuck_text(F main) {
  try {
    cove::test::run(std::move(main));
  } catch (const stuck& e) {
    return e.what();
  }
  FAIL("it did not get stuck");
  return {};
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Sleeps, then notes its number.
task<> notes_after(std::vector<int>* into, int number, clock::duration time) {
  co_await cove::this_task::sleep_for(time);
  into->push_back(number);
}

TEST_CASE("T12 a year of sleeping takes a year by the clock, and no time") {
  const auto took = cove::test::run([]() -> task<clock::duration> {
    const clock::time_point start = clock::now();
    for (int day = 0; day < 365; ++day) co_await cove::this_task::sleep_for(24h);
    co_return clock::now() - start;
  });
  CHECK(took == 365 * 24h);
}

TEST_CASE("T12 the clock begins at the same moment in each run, and stands while a task computes") {
  const auto begins = []() -> task<clock::time_point> {
    const clock::time_point start = clock::now();
    const auto real = steady::now();
    while (steady::now() - real < 2ms) co_await cove::this_task::yield();
    CHECK(clock::now() == start);
    co_return start;
  };
  const clock::time_point first = cove::test::run(begins);
  CHECK(cove::test::run(begins) == first);
  CHECK(first > clock::time_point());
}

TEST_CASE("T12 T01 timers fire in the order of their moments, equal ones in the order of setting") {
  cove::test::run([]() -> task<> {
    std::vector<int> order;
    std::vector<join_handle<>> all;
    all.push_back(cove::spawn(notes_after, &order, 3, 2h));
    all.push_back(cove::spawn(notes_after, &order, 1, 1ns));
    all.push_back(cove::spawn(notes_after, &order, 4, 2h));
    all.push_back(cove::spawn(notes_after, &order, 2, 1h));
    all.push_back(cove::spawn(notes_after, &order, 5, 2h + 1ns));
    all.push_back(cove::spawn(notes_after, &order, 0, 0s));
    for (auto& each : all) co_await each;
    const bool right = order == numbers(0, 1, 2, 3, 4, 5);
    CHECK(right);
  });
}

TEST_CASE("T12 what a timer wakes runs until nothing can before time goes on") {
  cove::test::run([]() -> task<> {
    int steps = 0;
    auto works = cove::spawn(
        [](int* count) -> task<> {
          co_await cove::this_task::sleep_for(1s);
          const clock::time_point start = clock::now();
          for (int i = 0; i < 1000; ++i) {
            co_await cove::this_task::yield();
            ++*count;
          }
          CHECK(clock::now() == start);
        },
        &steps);
    co_await cove::this_task::sleep_for(1s + 1ns);
    CHECK(steps == 1000);
    co_await works;
  });
}

TEST_CASE("T12 a limit passes exactly when it says, whatever else takes how long") {
  cove::test::run([]() -> task<> {
    const clock::time_point start = clock::now();
    const std::string broken = co_await outcome_of(cove::with_timeout(forever(), 5s));
    CHECK(broken == "deadline");
    const bool exact = clock::now() - start == 5s;
    CHECK(exact);
    const auto works = []() -> task<> { co_await cove::this_task::sleep_for(5s - 1ns); };
    const std::string done = co_await outcome_of(cove::with_timeout(works(), 5s));
    CHECK(done == "done");
    const auto nested = []() -> task<> { co_await cove::with_timeout(forever(), 1h); };
    const std::string outer = co_await outcome_of(cove::with_deadline(nested(), start + 1min));
    CHECK(outer == "deadline");
    const bool inherited = clock::now() - start == 1min;
    CHECK(inherited);
  });
}

TEST_CASE("T12 K18 an operation that ends at the very moment of its limit has one outcome") {
  const auto meets = []() -> task<std::string> {
    event rings;
    auto bell = cove::spawn(
        [](event* which) -> task<> {
          co_await cove::this_task::sleep_for(1s);
          which->set();
        },
        &rings);
    co_await cove::this_task::yield();  // The bell's timer is set first.
    const auto waits = [](event* which) -> task<> { co_await which->wait(); };
    const std::string how = co_await outcome_of(cove::with_timeout(waits(&rings), 1s));
    co_await bell;
    co_return how;
  };
  const std::string first = cove::test::run(meets);
  for (int i = 0; i < 20; ++i) CHECK(cove::test::run(meets) == first);
}

TEST_CASE("T12 retries wait by the virtual clock, and their chance repeats") {
  const auto tries = []() -> task<clock::duration> {
    const clock::time_point start = clock::now();
    int count = 0;
    const auto fails = [&count]() -> task<> {
      if (++count < 8) throw cove::error(std::make_error_code(std::errc::io_error), "try");
      co_return;
    };
    cove::retry_policy policy;
    policy.attempts = 8;
    policy.first_delay = 1min;
    policy.most_delay = 1h;
    co_await cove::retry(policy, fails);
    co_return clock::now() - start;
  };
  const clock::duration first = cove::test::run(tries);
  CHECK(first > 1h);
  CHECK(cove::test::run(tries) == first);
}

TEST_CASE("T12 T03 a sleep until the end of time sets no timer: the run is stuck") {
  const std::string text = stuck_text(
      []() -> task<> { co_await cove::this_task::sleep_until(clock::time_point::max()); });
  CHECK(holds(text, "nothing is left that could go on"));
  CHECK(holds(text, "waits for sleep at virtual_time_test.cpp:"));
  CHECK(stuck_text(forever).find("after 0.000000000 s") != std::string::npos);
}

task<> waits_on(event* which) { co_await which->wait(); }
task<> waits_in_scope(event* which) {
  cove::this_task::set_name("a waiter");
  co_await cove::with_scope([which](cove::scope& inner) -> task<> {
    inner.spawn(waits_on, which).detach();
    inner.spawn(waits_on, which).detach();
    co_return;
  });
}

TEST_CASE("T12 being stuck is a failure that lists every task, where it is and what it waits for") {
  int unwound = 0;
  const auto counts = [&unwound](event* which) -> task<> {
    const std::shared_ptr<void> at_end(nullptr, [&unwound](void*) { ++unwound; });
    co_await which->wait();
  };
  const std::string text = stuck_text([counts]() -> task<> {
    event never;
    co_await cove::this_task::sleep_for(90s);
    auto first = cove::spawn(counts, &never);
    auto second = cove::spawn(waits_in_scope, &never);
    co_await first;
  });
  CHECK(unwound == 1);
  CHECK(holds(text, "after 90.000000000 s"));
  CHECK(holds(text, "\"cove::test::run\""));
  CHECK(holds(text, "waits for the main task"));
  CHECK(holds(text, "waits for join at virtual_time_test.cpp:"));
  CHECK(holds(text, "\"a waiter\""));
  CHECK(holds(text, "\n  task "));  // The scope's, indented.
  CHECK(holds(text, "\"waits_on\" (virtual_time_test.cpp:"));
  CHECK(holds(text, "spawned by task "));
  CHECK(holds(text, "external_work"));
  CHECK_FALSE(holds(text, "these have not ended"));
}

TEST_CASE("T12 a main task that swallows the cancellation was stuck all the same") {
  CHECK_THROWS_AS(cove::test::run([]() -> task<int> {
                    const std::error_code code = co_await code_of(forever());
                    CHECK(code == std::errc::operation_canceled);
                    co_return 7;
                  }),
                  stuck);
}

TEST_CASE("T12 tasks that even a cancellation does not end are reported and left") {
  auto never = std::make_shared<event>();
  const std::string text =
      stuck_text([never]() -> task<> { co_await cove::shield(waits_on(never.get())); });
  CHECK(holds(text, "these have not ended although they were asked to"));
  never->set();  // Nobody is there any more to be woken.

  auto left = std::make_shared<event>();
  const std::string after = stuck_text([left]() -> task<> {
    cove::spawn(
        [](std::shared_ptr<event> on) -> task<> { co_await cove::shield(waits_on(on.get())); },
        left)
        .detach();
    co_await cove::this_task::yield();
  });
  CHECK(holds(after, "the main task has ended, but others cannot"));
}

TEST_CASE("T12 a task that wakes up for ever ends the run at its limit") {
  run_options chosen;
  chosen.limit = 1h;
  int beats = 0;
  const auto main = [&beats]() -> task<> {
    cove::spawn(
        [](int* count) -> task<> {
          for (;; ++*count) co_await cove::this_task::sleep_for(1s);
        },
        &beats)
        .detach();
    event never;
    co_await never.wait();
  };
  std::string text;
  try {
    cove::test::run_with(chosen, main);
  } catch (const stuck& e) {
    text = e.what();
  }
  CHECK(holds(text, "the limit of virtual time has passed (after 3600.000000000 s"));
  CHECK(beats == 3600);
}

TEST_CASE("T12 time stops with the main task, and what is left is cancelled") {
  int beats = 0;
  clock::duration last{};
  cove::test::run([&]() -> task<> {
    const clock::time_point start = clock::now();
    cove::spawn([&beats, &last, start]() -> task<> {
      const std::shared_ptr<void> at_end(nullptr, [&](void*) { last = clock::now() - start; });
      for (;; ++beats) co_await cove::this_task::sleep_for(1s);
    }).detach();
    co_await cove::this_task::sleep_for(10s + 1ns);
  });
  CHECK(beats == 10);
  CHECK(last == 10s + 1ns);
}

TEST_CASE("T12 cleaning up behind a shield takes its virtual time") {
  clock::duration took{};
  cove::test::run([&took]() -> task<> {
    cove::spawn([&took]() -> task<> {
      const std::error_code code = co_await code_of(forever());
      CHECK(code == std::errc::operation_canceled);
      const clock::time_point start = clock::now();
      const auto cleans = []() -> task<> { co_await cove::this_task::sleep_for(1min); };
      co_await cove::shield(cleans());
      took = clock::now() - start;
    }).detach();
    co_await cove::this_task::sleep_for(1s);
  });
  CHECK(took == 1min);
}

TEST_CASE("T12 values, references, arguments and exceptions pass") {
  CHECK(cove::test::run([](int a, std::unique_ptr<int> b) -> task<int> { co_return a + *b; }, 3,
                        std::make_unique<int>(4)) == 7);
  int here = 0;
  int& there = cove::test::run([](int* at) -> task<int&> { co_return *at; }, &here);
  CHECK(&there == &here);
  CHECK_THROWS_WITH_AS(cove::test::run([]() -> task<> {
                         co_await cove::this_task::sleep_for(1h);
                         throw std::logic_error("as thrown");
                       }),
                       "as thrown", std::logic_error);
}

TEST_CASE("T12 a run inside a task is refused, beside another one it is fine") {
  const auto nests = []() -> task<std::error_code> {
    std::error_code code;
    try {
      cove::test::run([]() -> task<> { co_return; });
    } catch (const cove::error& e) {
      code = e.code();
    }
    co_return code;
  };
  CHECK(cove::test::run(nests) == std::errc::resource_deadlock_would_occur);
  const std::error_code real =
      cove::test::run_in(cove::test::plain_options(1), [nests] { return nests(); });
  CHECK(real == std::errc::resource_deadlock_would_occur);

  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&right] {
      const auto took = cove::test::run([]() -> task<clock::duration> {
        const clock::time_point start = clock::now();
        for (int n = 0; n < 500; ++n) co_await cove::this_task::sleep_for(1h);
        co_return clock::now() - start;
      });
      if (took == 500h) ++right;
    });
  for (auto& each : threads) each.join();
  CHECK(right == 3);
}

TEST_CASE("T12 options that make no sense are refused by name") {
  const auto nothing = []() -> task<> { co_return; };
  run_options chosen;
  chosen.runtime.workers = 2;
  CHECK_THROWS_WITH_AS(cove::test::run_with(chosen, nothing), doctest::Contains("workers = 2"),
                       cove::error);
  chosen.runtime.workers = 1;
  chosen.limit = -1ns;
  CHECK_THROWS_WITH_AS(cove::test::run_with(chosen, nothing), doctest::Contains("limit"),
                       cove::error);
  chosen.limit = 0ns;
  cove::test::run_with(chosen, nothing);
}

TEST_CASE("T12 outside of the run the clock is real, also while it goes on") {
  const clock::time_point before = clock::now();
  cove::test::run([]() -> task<> {
    co_await cove::this_task::sleep_for(300 * 24h);
    clock::time_point real;
    std::thread([&real] { real = clock::now(); }).join();
    CHECK(real != clock::now());
  });
  const clock::duration took = clock::now() - before;
  CHECK(took < 24h);
}

/// A thread that answers each number with its square, and only once the one who asked waits for it.
class squarer {
 public:
  struct question {
    int number = 0;
    cove::runtime* asked_in = nullptr;
    external_work pending;
  };

  squarer() : thread_([this] { answer(); }) {}
  squarer(const squarer&) = delete;
  squarer& operator=(const squarer&) = delete;
  ~squarer() {
    questions.close();
    thread_.join();
  }

  cove::channel<question> questions{1};
  cove::channel<int> answers{1};

 private:
  void answer() {
    while (auto asked = questions.receive_blocking()) {
      const auto waits = [&] { return holds(asked->asked_in->report(), "waits for receive"); };
      CHECK(cove::test::thread_waits_for(waits));
      answers.send_blocking(asked->number * asked->number);
    }
  }

  std::thread thread_;
};

TEST_CASE("T12 time stands while work outside is announced, and what that brought comes first") {
  cove::test::run([]() -> task<> {
    squarer outside;
    const clock::time_point start = clock::now();
    int right = 0;
    for (int i = 0; i < 300; ++i) {
      squarer::question asks{i, cove::runtime::current(), external_work()};
      co_await outside.questions.send(std::move(asks));
      const auto got = co_await cove::with_timeout(outside.answers.receive(), 1ns);
      if (got == i * i) ++right;
    }
    CHECK(right == 300);
    CHECK(clock::now() == start);
  });
}

task<> waits_for_nothing() {
  auto brings_nothing = [pending = external_work()]() mutable { pending.done(); };
  std::thread(std::move(brings_nothing)).detach();
  co_await forever();
}

TEST_CASE("T12 work outside that was announced for nothing leaves the run stuck when it ends") {
  const std::string text = stuck_text(waits_for_nothing);
  CHECK(holds(text, "nothing is left that could go on"));
}

TEST_CASE("T12 an announcement may be moved, ended twice, and outlive what it was made for") {
  std::optional<external_work> kept;
  cove::test::run([&kept]() -> task<> {
    external_work first;
    external_work second(std::move(first));
    first = external_work();
    first.done();
    first.done();
    kept.emplace(std::move(second));
    co_return;
  });
  kept.reset();
  external_work of_nobody;
  of_nobody.done();
  cove::test::run_in(cove::test::plain_options(1), []() -> task<> {
    const external_work where_time_is_real;
    co_await cove::this_task::sleep_for(1ns);
  });
}

TEST_CASE("T12 until_idle ends when all others wait, and takes no time") {
  cove::test::run([]() -> task<> {
    const clock::time_point start = clock::now();
    std::vector<int> order;
    auto works = cove::spawn(
        [](std::vector<int>* into) -> task<> {
          for (int i = 0; i < 300; ++i) co_await cove::this_task::yield();
          into->push_back(1);
          co_await cove::this_task::sleep_for(1ns);
          into->push_back(3);
        },
        &order);
    auto also = cove::spawn(
        [](std::vector<int>* into) -> task<> {
          co_await until_idle();
          into->push_back(2);
        },
        &order);
    co_await until_idle();
    co_await until_idle();
    const bool before = order == numbers(1, 2);
    CHECK(before);
    CHECK(clock::now() == start);
    co_await works;
    co_await also;
    CHECK(order.size() == 3);
  });
}

TEST_CASE("T12 until_idle waits for what was announced outside") {
  cove::test::run([]() -> task<> {
    squarer outside;
    squarer::question asks{3, cove::runtime::current(), external_work()};
    co_await outside.questions.send(std::move(asks));
    int got = 0;
    auto waits = cove::spawn(
        [](cove::channel<int>* from, int* into) -> task<> {
          const auto answer = co_await from->receive();
          *into = answer.value_or(-1);
        },
        &outside.answers, &got);
    co_await until_idle();
    CHECK(got == 9);
    co_await waits;
  });
}

TEST_CASE("T12 until_idle is cancelled like any wait, and refused where time is real") {
  cove::test::run([]() -> task<> {
    std::vector<join_handle<std::string>> all;
    const auto waits = []() -> task<std::string> { co_return co_await outcome_of(until_idle()); };
    for (int i = 0; i < 5; ++i) all.push_back(cove::spawn(waits));
    co_await cove::this_task::yield();
    for (std::size_t i = 0; i < all.size(); i += 2) all[i].cancel();
    std::string text;
    for (auto& each : all) {
      const std::string how = co_await each;
      text += how + " ";
    }
    CHECK(text == "canceled done canceled done canceled ");
    const std::string late = co_await outcome_of(cove::with_timeout(until_idle(), 0s));
    CHECK(late == "deadline");
  });
  const std::error_code real = cove::test::run_in(
      cove::test::plain_options(1),
      []() -> task<std::error_code> { co_return co_await code_of(until_idle()); });
  CHECK(real == std::errc::operation_not_supported);
}

TEST_CASE("T12 a runtime under virtual time cannot be stopped from inside, as any other") {
  cove::test::run([]() -> task<> {
    CHECK_THROWS_AS(cove::runtime::current()->stop(), cove::error);
    const std::string how = co_await outcome_of(cove::this_task::sleep_for(1h));
    CHECK(how == "done");
  });
}

struct table {
  std::vector<std::int64_t> log;  ///< Who, and when.
  cove::channel<int> values{2};
  cove::mutex lock;
};

task<> sleeps(clock::duration time) { co_await cove::this_task::sleep_for(time); }

/// Sleeps, gives up, locks and hands values around as `random` says.
task<> plays(table* on, int who, std::uint32_t random) {
  for (int step = 0; step < 50; ++step) {
    random = random * 1664525 + 1013904223;
    const auto time = std::chrono::microseconds((random >> 16) % 500);
    switch ((random >> 8) % 5) {
      case 0: co_await sleeps(time); break;
      case 1: co_await code_of(cove::with_timeout(sleeps(time), time / 2)); break;
      case 2: co_await code_of(cove::with_timeout(on->values.send(who), time)); break;
      case 3: co_await code_of(cove::with_timeout(on->values.receive(), time)); break;
      default: {
        const auto held = co_await on->lock.lock();
        co_await sleeps(time);
        break;
      }
    }
    on->log.push_back(who);
    on->log.push_back(clock::now().time_since_epoch().count());
  }
}

task<std::vector<std::int64_t>> forty_play(std::uint32_t seed) {
  table shared;
  const auto begin = [&shared, seed](cove::scope& all) -> task<> {
    for (int who = 0; who < 40; ++who)
      all.spawn(plays, &shared, who, seed + static_cast<std::uint32_t>(who)).detach();
    co_return;
  };
  co_await cove::with_scope(begin);
  co_return std::move(shared.log);
}

TEST_CASE("T12 two runs of the same tasks do the same at the same moments") {
  run_options chosen;
  for (const unsigned entry_without_p : {0U, 3U}) {
    chosen.runtime.tuning.entry_without_p = entry_without_p;
    for (std::uint32_t seed = 1; seed <= 5; ++seed) {
      const auto first = cove::test::run_with(chosen, forty_play, seed);
      CHECK(first.size() == 40 * 50 * 2);
      for (int again = 0; again < 5; ++again)
        CHECK(cove::test::run_with(chosen, forty_play, seed) == first);
    }
  }
}

}  // namespace
