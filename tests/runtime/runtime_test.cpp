#include <cove/runtime/runtime.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/runtime_test.hpp"

namespace {

using cove::join_handle;
using cove::runtime;
using cove::runtime_options;
using cove::runtime_stats;
using cove::task;
using cove::test::entries_of;
using cove::test::eventually;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::thread_waits_for;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

/// An environment variable for the length of a test; nullptr takes it away.
class variable {
 public:
  variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name); before != nullptr) before_ = before;
    set(value);
  }
  variable(const variable&) = delete;
  variable& operator=(const variable&) = delete;
  ~variable() { set(before_ ? before_->c_str() : nullptr); }

 private:
  void set(const char* value) {
    if (value != nullptr)
      ::setenv(name_, value, 1);
    else
      ::unsetenv(name_);
  }
  const char* name_;
  std::optional<std::string> before_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What the constructor complains of; empty if it does not.
std::string complaint_of(runtime_options options) {
  try {
    runtime in(std::move(options));
  } catch (const cove::error& e) {
    CHECK(e.code() == std::errc::invalid_argument);
    return e.what();
  }
  return {};
}

task<int> number(int n) {
  co_await cove::this_task::yield();
  co_return n;
}
task<> sleeper() { co_await forever(); }
task<> stuck_on_purpose(std::atomic<bool>& begun, std::atomic<bool>& release) {
  begun = true;
  CHECK(thread_waits_for([&] { return release.load(); }));
  co_return;
}

// ----- run -----

TEST_CASE("run gives the exit code of the program") {
  CHECK(cove::run(number, 7) == 7);
  CHECK(cove::run([]() -> task<> { co_return; }) == 0);
  const auto failing = []() -> task<> {
    co_await cove::this_task::yield();
    throw std::runtime_error("expected, printed by the test of run()");
  };
  CHECK(cove::run(failing) == 1);
  const auto odd = []() -> task<int> {
    throw 5;
    co_return 0;
  };
  CHECK(cove::run(odd) == 1);
  CHECK(cove::run_with(plain_options(3), number, 4) == 4);
  auto wrong = plain_options();
  wrong.backend = "expected, printed by the test of run()";
  CHECK(cove::run_with(wrong, number, 0) == 1);
}

TEST_CASE("run cancels what the main task leaves behind, and waits for it") {
  std::atomic<int> unwound{0};
  const auto left_behind = [](std::atomic<int>& count) -> task<> {
    try {
      co_await forever();
    } catch (const cove::canceled&) {
      ++count;
      throw;
    }
  };
  const auto main_task = [&]() -> task<int> {
    for (int i = 0; i < 10; ++i) cove::spawn(left_behind, std::ref(unwound));
    for (int i = 0; i < 100; ++i) co_await cove::this_task::yield();
    co_return 3;
  };
  CHECK(cove::run_with(plain_options(1), main_task) == 3);
  CHECK(unwound == 10);
}

TEST_CASE("a program may move its arguments into run") {
  const auto main_task = [](std::unique_ptr<int> code) -> task<int> { co_return *code; };
  CHECK(cove::run(main_task, std::make_unique<int>(9)) == 9);
}

// ----- blocking calls -----

TEST_CASE("block_on gives the value or throws what left the task") {
  run_in(plain_options(), [](runtime& in) {
    CHECK(in.block_on(number, 7) == 7);
    in.block_on([]() -> task<> { co_return; });
    CHECK_THROWS_AS(in.block_on([]() -> task<> {
      throw std::logic_error("expected");
      co_return;
    }),
                    std::logic_error);
    const auto make = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
    CHECK(*in.block_on(make) == 5);
  });
}

TEST_CASE("calls that would block are refused inside a task") {
  runtime other(plain_options(1));
  run_in(plain_options(), [&other](runtime& in) {
    in.block_on([&]() -> task<> {
      const auto refused = [](auto call) {
        try {
          call();
        } catch (const cove::error& e) {
          return e.code() == std::errc::resource_deadlock_would_occur &&
                 contains(e.what(), "co_await");
        }
        return false;
      };
      CHECK(refused([&] { in.block_on(number, 1); }));
      CHECK(refused([&] { other.block_on(number, 1); }));
      CHECK(refused([&] { in.stop(); }));
      CHECK(refused([&] { in.stop(1ms); }));
      CHECK(refused([&] { in.wait(in.spawn(number, 1)); }));
      co_return;
    });
    // It was refused before anything was done.
    CHECK(in.block_on(number, 2) == 2);
  });
}

// ----- options -----

TEST_CASE("options that make no sense are refused by name") {
  const variable no_backend("COVE_BACKEND", nullptr);
  auto options = plain_options(1025);
  CHECK(contains(complaint_of(options), "workers = 1025"));
  CHECK(contains(complaint_of(options), "1 to 1024"));
  options = plain_options();
  options.tuning.ring_slots = 0;
  CHECK(contains(complaint_of(options), "ring_slots = 0"));
  options.tuning.ring_slots = 257;
  CHECK(contains(complaint_of(options), "ring_slots = 257"));
  options = plain_options();
  options.backend = "carrier pigeons";
  CHECK(contains(complaint_of(options), "\"carrier pigeons\""));
  CHECK(contains(complaint_of(options), "epoll"));
}

TEST_CASE("COVE_WORKERS chooses the workers, and is refused where it is no number") {
  auto options = plain_options(0);
  for (const char* wrong : {"abc", "0", "-1", "1025", "3x", "3 ", " 3", "4294967298", "1e2"}) {
    const variable set("COVE_WORKERS", wrong);
    const std::string text = complaint_of(options);
    CHECK(contains(text, "COVE_WORKERS=\"" + std::string(wrong) + "\""));
    CHECK(contains(text, "1 to 1024"));
    // An option goes before it.
    CHECK(complaint_of(plain_options(2)).empty());
  }
  {
    const variable set("COVE_WORKERS", "3");
    CHECK(runtime(options).stats().workers == 3);
    CHECK(runtime(plain_options(2)).stats().workers == 2);
  }
  for (const char* absent : {static_cast<const char*>(nullptr), ""}) {
    const variable set("COVE_WORKERS", absent);
    CHECK(runtime(options).stats().workers >= 1);
  }
}

TEST_CASE("COVE_BACKEND chooses the backend, and an unknown one is refused with those there are") {
  {
    const variable set("COVE_BACKEND", "nonsense");
    const std::string text = complaint_of(plain_options());
    CHECK(contains(text, "\"nonsense\""));
    CHECK(contains(text, "this build has: epoll, io_uring, epoll-lt, poll, select"));
    auto options = plain_options();
    options.backend = "epoll";
    CHECK(runtime(options).backend_reason() == "option");
  }
  {
    const variable set("COVE_BACKEND", "epoll");
    const runtime in(plain_options());
    CHECK(in.backend() == "epoll");
    CHECK(in.stats().backend_reason == "COVE_BACKEND");
  }
  for (const char* absent : {static_cast<const char*>(nullptr), ""}) {
    const variable set("COVE_BACKEND", absent);
    const runtime in(plain_options());
    CHECK(in.stats().backend == in.backend());
    CHECK(in.stats().backend_reason == "default");
    CHECK(in.backend_reason() == "default");
  }
}

TEST_CASE("a runtime has a name of its own") {
  auto options = plain_options();
  options.name = "mine";
  const runtime named(options);
  CHECK(named.name() == "mine");
  CHECK(named.stats().name == "mine");
  const runtime first(plain_options()), second(plain_options());
  CHECK_FALSE(first.name().empty());
  CHECK(first.name() != second.name());
}

// ----- the end -----

/// Comes to life with a task and must leave with it.
class tracked {
 public:
  explicit tracked(std::atomic<int>& live) : live_(&live) { ++*live_; }
  tracked(tracked&& other) noexcept : live_(other.live_) { ++*live_; }
  tracked(const tracked& other) noexcept : live_(other.live_) { ++*live_; }
  tracked& operator=(const tracked&) = delete;
  ~tracked() { --*live_; }

 private:
  std::atomic<int>* live_;
};

struct census {
  std::atomic<int> live{0}, begun{0}, unwound{0}, twice{0};
};

/// Awaits `op` until it throws canceled, which must happen once.
template <class Make>
task<> must_unwind(tracked, census& count, Make make) {
  ++count.begun;
  int thrown = 0;
  try {
    for (;;) co_await make();
  } catch (const cove::canceled&) {
    ++thrown;
  }
  count.unwound += thrown;
  if (thrown != 1) ++count.twice;
}

task<> in_a_scope(census& count) {
  auto body = [&count](cove::scope& parts) -> task<> {
    for (int i = 0; i < 3; ++i)
      parts.spawn(must_unwind<task<> (*)()>, tracked(count.live), std::ref(count), forever);
    co_await forever();
  };
  co_await cove::with_scope(body);
}
task<> in_a_supervisor(census& count) {
  auto body = [&count](cove::supervisor& jobs) -> task<> {
    for (int i = 0; i < 3; ++i)
      jobs.spawn(must_unwind<task<> (*)()>, tracked(count.live), std::ref(count), forever);
    co_return;
  };
  co_await cove::with_supervisor(body);
}
task<> joins_a_sleeper() { co_await cove::spawn(sleeper); }
task<> limited() { co_await cove::with_timeout(cove::with_timeout(forever(), 1h), 2h); }
task<> gives_way() { co_await cove::this_task::yield(); }
task<> sleeps() { co_await cove::this_task::sleep_for(1h); }
task<> sleeps_briefly() { co_await cove::this_task::sleep_for(std::chrono::microseconds(50)); }

/// Eight tasks, with their parts 14 that count.
constexpr int tasks_a_set = 14;
void spawn_set(runtime& in, census& count) {
  const auto start = [&](auto make) {
    in.spawn(must_unwind<decltype(make)>, tracked(count.live), std::ref(count), make);
  };
  start(forever);
  start([&count] { return in_a_scope(count); });
  start([&count] { return in_a_supervisor(count); });
  start(joins_a_sleeper);
  start(limited);
  start(gives_way);
  start(sleeps);
  start(sleeps_briefly);
}

TEST_CASE("M04 the stop unwinds everything by cancellation, exactly once") {
  static constexpr int sets = 25;
  for (const unsigned workers : {1U, 2U, 4U}) {
    census count;
    run_in(plain_options(workers), [&](runtime& in) {
      for (int i = 0; i < sets; ++i) spawn_set(in, count);
      CHECK(thread_waits_for([&] { return count.begun == sets * tasks_a_set; }));
      CHECK(in.stop(10s));
      CHECK(in.stats().tasks_live == 0);
    });
    CHECK(count.unwound == sets * tasks_a_set);
    CHECK(count.twice == 0);
    CHECK(count.live == 0);
  }
}

TEST_CASE("M04 a stop in the midst of the start leaves nothing behind") {
  for (int round = 0; round < 50; ++round) {
    census count;
    run_in(plain_options(), [&](runtime& in) {
      for (int i = 0; i < 10; ++i) spawn_set(in, count);
      if (round % 2 == 0) thread_waits_for([&] { return count.begun > round; });
      CHECK(in.stop(10s));
    });
    CHECK(count.begun == count.unwound);
    CHECK(count.live == 0);
  }
}

TEST_CASE("M04 the end of the runtime's life is its stop") {
  census count;
  {
    runtime in(plain_options());
    for (int i = 0; i < 10; ++i) spawn_set(in, count);
    CHECK(thread_waits_for([&] { return count.begun == 10 * tasks_a_set; }));
  }
  CHECK(count.unwound == 10 * tasks_a_set);
  CHECK(count.live == 0);
}

TEST_CASE("stop with a limit tells that a task is stuck, and the report names it") {
  std::atomic<bool> begun{false}, waits{false}, release{false};
  std::atomic<int> unwound{0};
  run_in(plain_options(), [&](runtime& in) {
    in.spawn([&]() -> task<> {
      waits = true;
      try {
        co_await forever();
      } catch (const cove::canceled&) {
        ++unwound;
      }
    });
    in.spawn(stuck_on_purpose, std::ref(begun), std::ref(release));
    CHECK(thread_waits_for([&] { return begun && waits; }));
    CHECK_FALSE(in.stop(20ms));
    // Who may go does, within the limit of the stop or, on a busy machine, after it.
    CHECK(thread_waits_for([&] { return unwound == 1; }));
    CHECK(thread_waits_for([&] { return !contains(in.report(), "forever"); }));
    const std::string report = in.report();
    CHECK(contains(report, "stuck_on_purpose"));
    CHECK(contains(report, "runtime_test.cpp:"));
    CHECK_FALSE(in.stop(0ms));
    CHECK_FALSE(in.stop(-1ms));
    release = true;
    CHECK(in.stop(10s));
    CHECK(in.report().empty());
    // Again is no more than that.
    CHECK(in.stop());
  });
}

TEST_CASE("several threads may stop a runtime at once") {
  run_in(plain_options(), [](runtime& in) {
    for (int i = 0; i < 10; ++i) in.spawn(sleeper);
    std::atomic<int> ended{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        if (in.stop(10s)) ++ended;
      });
    for (std::thread& each : threads) each.join();
    CHECK(ended == 4);
  });
}

TEST_CASE("the report tells what each task waits for, and where") {
  run_in(plain_options(), [](runtime& in) {
    join_handle<> one = in.spawn(sleeps);
    join_handle<> two = in.spawn(joins_a_sleeper);
    CHECK(thread_waits_for([&] {
      const std::string report = in.report();
      return contains(report, "sleeps\"") &&
             contains(report, "waits for sleep at runtime_test.cpp") &&
             contains(report, "waits for join at runtime_test.cpp");
    }));
    // While tasks come and go.
    std::atomic<bool> over{false};
    std::thread reporter([&] {
      while (!over) {
        static_cast<void>(in.report());
        static_cast<void>(to_string(in.stats()));
      }
    });
    for (int i = 0; i < 500; ++i) CHECK(in.block_on(number, i) == i);
    over = true;
    reporter.join();
  });
}

// ----- counting -----

TEST_CASE("M20 the counts are right") {
  static constexpr int count = 40;
  run_in(plain_options(), [&](runtime& in) {
    CHECK(in.stats().tasks_spawned == 0);
    CHECK(in.stats().tasks_live == 0);
    CHECK(in.stats().timers == 0);
    std::vector<join_handle<>> jobs;
    for (int i = 0; i < count; ++i) jobs.push_back(in.spawn(sleeps));
    CHECK(thread_waits_for([&] { return in.stats().timers == count; }));
    runtime_stats now = in.stats();
    CHECK(now.tasks_spawned == count);
    CHECK(now.tasks_live == count);
    CHECK(now.tasks_queued == 0);
    CHECK(now.task_runs >= count);
    CHECK(now.workers == 2);
    CHECK(now.threads >= 1);
    CHECK(now.threads <= 2);
    CHECK(now.descriptors == 0);
    for (int i = 0; i < count / 2; ++i) jobs[static_cast<std::size_t>(i)].cancel();
    CHECK(thread_waits_for([&] { return in.stats().tasks_live == count / 2; }));
    CHECK(in.stats().timers == count / 2);
    in.block_on([]() -> task<> {
      std::vector<join_handle<int>> more;
      for (int i = 0; i < count; ++i) more.push_back(cove::spawn(number, i));
      for (auto& each : more) static_cast<void>(co_await each);
    });
    now = in.stats();
    CHECK(now.tasks_spawned == 2 * count + 1);
    CHECK(thread_waits_for([&] { return in.stats().tasks_live == count / 2; }));
    CHECK(now.polls > 0);
    CHECK(contains(to_string(now), "runtime"));
    CHECK(contains(to_string(now), in.name()));
  });
}

// ----- many -----

TEST_CASE("M07 several runtimes live in one process") {
  std::atomic<int> strays{0};
  run_in(plain_options(), [&](runtime& first) {
    run_in(plain_options(1), [&](runtime& second) {
      run_in(plain_options(3), [&](runtime& third) {
        const auto job = [&strays](runtime* mine) -> task<> {
          for (int i = 0; i < 50; ++i) {
            if (runtime::current() != mine) ++strays;
            co_await cove::this_task::sleep_for(std::chrono::microseconds(100));
          }
        };
        std::vector<join_handle<>> jobs;
        for (runtime* each : {&first, &second, &third})
          for (int i = 0; i < 10; ++i) jobs.push_back(each->spawn(job, each));
        for (auto& each : jobs) first.wait(std::move(each));
      });
    });
  });
  CHECK(strays == 0);
}

task<> join(join_handle<int> handle) { static_cast<void>(co_await handle); }
task<> join_and_look(join_handle<int> handle) {
  // Its worker stays awake, so it finds what is woken from elsewhere without being told.
  join_handle<> joiner = cove::spawn(join, std::move(handle));
  co_await eventually([&] { return joiner.done(); });
}

TEST_CASE("M07 a runtime may end as soon as another one has woken its last task") {
  static constexpr int rounds = cove::test::sanitized ? 300 : 1000;
  run_in(plain_options(), [](runtime& first) {
    for (int i = 0; i < rounds; ++i) {
      runtime second(plain_options(1));
      second.block_on(join_and_look, first.spawn(number, i));
    }
  });
}

TEST_CASE("M07 a thousand runtimes leave no descriptor and no thread behind") {
  static constexpr int rounds = cove::test::sanitized ? 200 : 1000;
  // The first brings what the process keeps.
  runtime(plain_options()).block_on(number, 1);
  const std::size_t descriptors = entries_of("/proc/self/fd");
  const std::size_t threads = entries_of("/proc/self/task");
  for (int i = 0; i < rounds; ++i) {
    runtime_options options;
    options.workers = 1 + static_cast<unsigned>(i) % 3;
    options.sysmon = i % 2 == 0;
    runtime in(options);
    if (i % 5 == 0) continue;  // Nothing ever runs in it.
    join_handle<> left = in.spawn(sleeper);
    if (in.block_on(number, i) != i) FAIL("a wrong number");
    if (i % 7 == 0) left.cancel();
    // The handle goes first, as it must.
  }
  CHECK(entries_of("/proc/self/fd") == descriptors);
  CHECK(thread_waits_for([&] { return entries_of("/proc/self/task") == threads; }));
}

TEST_CASE("M18 a backend that cannot be made leaves nothing behind") {
  const variable none("COVE_BACKEND", nullptr);
  const std::size_t descriptors = entries_of("/proc/self/fd");
  const std::size_t threads = entries_of("/proc/self/task");
  auto options = plain_options();
  options.sysmon = true;
  options.backend = "carrier pigeons";
  for (int i = 0; i < 10; ++i) CHECK_FALSE(complaint_of(options).empty());
  CHECK(entries_of("/proc/self/fd") == descriptors);
  CHECK(entries_of("/proc/self/task") == threads);
}

}  // namespace
