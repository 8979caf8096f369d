#include <cove/runtime/spawn.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/runtime_test.hpp"

namespace {

using cove::join_handle;
using cove::result;
using cove::runtime;
using cove::spawn;
using cove::task;
using cove::test::eventually;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::thread_waits_for;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

task<int> number(int n) {
  co_await cove::this_task::yield();
  co_return n;
}
task<> failing(std::string why) {
  co_await cove::this_task::yield();
  throw std::runtime_error(why);
}
task<int> failing_with(std::errc why) {
  co_await cove::this_task::yield();
  throw cove::error(std::make_error_code(why), "test");
}
/// Waits until it is cancelled, and says so.
task<int> until_canceled(std::atomic<bool>& begun) {
  begun = true;
  try {
    co_await forever();
  } catch (const cove::canceled&) {
    co_return 1;
  }
  co_return 0;
}
task<> wait_for(const std::atomic<bool>& flag) { co_await eventually(flag); }
task<int> join(join_handle<int>& handle) {
  const int got = co_await handle;
  co_return got;
}

/// Counts its copies, its moves, and how many of it live.
class traveller {
 public:
  struct counts {
    std::atomic<int> copies{0}, moves{0}, live{0};
  };
  explicit traveller(counts& of) : counts_(&of) { ++counts_->live; }
  traveller(const traveller& other) : counts_(other.counts_) {
    ++counts_->copies;
    ++counts_->live;
  }
  traveller(traveller&& other) noexcept : counts_(other.counts_) {
    ++counts_->moves;
    ++counts_->live;
  }
  traveller& operator=(const traveller&) = delete;
  ~traveller() { --counts_->live; }

  /// As a callable.
  task<int> operator()(traveller, int n) const { return number(n); }

 private:
  counts* counts_;
};

// ----- what a handle gives -----

TEST_CASE("a handle gives what its task gives") {
  run_in(plain_options(), []() -> task<> {
    join_handle<int> seven = spawn(number, 7);
    const int got = co_await seven;
    CHECK(got == 7);
    const int eight = co_await spawn(number, 8);
    CHECK(eight == 8);
    const auto text = []() -> task<std::string> { co_return std::string(100, 'x'); };
    const std::string letters = co_await spawn(text);
    CHECK(letters == std::string(100, 'x'));
    const auto pointer = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
    const std::unique_ptr<int> three = co_await spawn(pointer);
    CHECK(*three == 3);
    int thing = 1;
    const auto refer = [](int& it) -> task<int&> { co_return it; };
    int& same = co_await spawn(refer, std::ref(thing));
    CHECK(&same == &thing);
    bool ran = false;
    const auto set = [](bool& flag) -> task<> {
      flag = true;
      co_return;
    };
    co_await spawn(set, std::ref(ran));
    CHECK(ran);
  });
}

TEST_CASE("a handle moves, and an empty one reports canceled") {
  run_in(plain_options(), []() -> task<> {
    join_handle<int> first = spawn(number, 1);
    join_handle<int> second = std::move(first);
    CHECK(first.id() == 0);
    CHECK(first.done());
    CHECK(second.id() != 0);
    first.cancel();
    const result<int> none = co_await first.as_result();
    CHECK(none.error() == std::errc::operation_canceled);
    const int got = co_await std::move(second);
    CHECK(got == 1);
  });
}

TEST_CASE("assigning to a handle lets go of the task that it had") {
  std::atomic<bool> first_ran{false};
  run_in(plain_options(), [&first_ran]() -> task<> {
    const auto mark = [](std::atomic<bool>& flag) -> task<int> {
      flag = true;
      co_return 1;
    };
    join_handle<int> handle = spawn(mark, std::ref(first_ran));
    handle = spawn(number, 2);
    const int got = co_await handle;
    CHECK(got == 2);
    co_await eventually(first_ran);
  });
}

// ----- callable and arguments -----

TEST_CASE("callable and arguments are copied or moved into the task, and gone when it ends") {
  traveller::counts callable, argument;
  run_in(plain_options(), [&]() -> task<> {
    {
      const traveller call(callable), given(argument);
      const int got = co_await spawn(call, given, 5);
      CHECK(got == 5);
      // One copy each from here into the task; then it only moves.
      CHECK(callable.copies == 1);
      CHECK(argument.copies == 1);
    }
    traveller call(callable), given(argument);
    join_handle<int> handle = spawn(std::move(call), std::move(given), 6);
    CHECK(callable.copies == 1);
    CHECK(argument.copies == 1);
    co_await eventually([&] { return handle.done(); });
    // Only what stands here is left, although the handle is still held.
    CHECK(callable.live == 1);
    CHECK(argument.live == 1);
    const int got = co_await handle;
    CHECK(got == 6);
  });
  CHECK(callable.live == 0);
  CHECK(argument.live == 0);
}

/// Made outside of a coroutine, where GCC 12 gets the temporary right.
auto telling(std::shared_ptr<std::string> text) {
  return [text = std::move(text)]() -> task<std::string> {
    for (int i = 0; i < 10; ++i) co_await cove::this_task::yield();
    co_return *text;
  };
}

TEST_CASE("what a lambda captures lives as long as its task") {
  const std::weak_ptr<std::string> watched =
      run_in(plain_options(), []() -> task<std::weak_ptr<std::string>> {
        auto text = std::make_shared<std::string>("kept");
        std::weak_ptr<std::string> watch = text;
        auto body = telling(std::move(text));
        join_handle<std::string> handle = spawn(std::move(body));
        const std::string got = co_await handle;
        CHECK(got == "kept");
        CHECK(watch.expired());
        co_return watch;
      });
  CHECK(watched.expired());
}

TEST_CASE("arguments are what spawn was given, whatever the parameter's type") {
  run_in(plain_options(), []() -> task<> {
    const auto size = [](std::string text, const std::string& more) -> task<std::size_t> {
      co_return text.size() + more.size();
    };
    std::size_t got = 0;
    {
      const std::string gone(50, 'a');
      join_handle<std::size_t> handle = spawn(size, "literal", gone);
      got = co_await handle;
    }
    CHECK(got == 57);
    const auto take = [](std::unique_ptr<int> p) -> task<int> { co_return *p; };
    const int moved = co_await spawn(take, std::make_unique<int>(4));
    CHECK(moved == 4);
  });
}

TEST_CASE("an exception while the arguments are copied leaves spawn") {
  struct no_copy {
    no_copy() = default;
    no_copy(const no_copy&) { throw std::runtime_error("copy"); }
  };
  run_in(plain_options(), []() -> task<> {
    const auto job = [](const no_copy&) -> task<> { co_return; };
    const no_copy thing;
    bool thrown = false;
    try {
      spawn(job, thing);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
    co_return;
  });
}

TEST_CASE("a callable that throws before there is a coroutine fails its task") {
  run_in(plain_options(), []() -> task<> {
    const auto job = [](int n) -> task<int> {
      if (n == 0) throw std::runtime_error("no coroutine");
      return number(n);
    };
    join_handle<int> handle = spawn(job, 0);
    bool thrown = false;
    try {
      co_await handle;
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
  });
}

// ----- joining -----

TEST_CASE("M09 a task can be joined after it ended") {
  run_in(plain_options(), []() -> task<> {
    join_handle<int> handle = spawn(number, 9);
    co_await eventually([&] { return handle.done(); });
    const int got = co_await handle;
    CHECK(got == 9);
  });
}

TEST_CASE("M09 a task goes on when its handle is dropped, and its result is destroyed") {
  traveller::counts counts;
  std::atomic<bool> go{false}, ended{false};
  run_in(plain_options(), [&]() -> task<> {
    const auto job = [](traveller::counts& count, std::atomic<bool>& begin,
                        std::atomic<bool>& end) -> task<traveller> {
      co_await eventually(begin);
      end = true;
      co_return traveller(count);
    };
    spawn(job, std::ref(counts), std::ref(go), std::ref(ended));
    CHECK_FALSE(ended);
    go = true;
    co_await eventually(ended);
  });
  CHECK(counts.live == 0);
}

TEST_CASE("M09 cancelling a finished task changes nothing") {
  run_in(plain_options(), []() -> task<> {
    join_handle<int> handle = spawn(number, 3);
    co_await eventually([&] { return handle.done(); });
    handle.cancel();
    handle.cancel();
    const int got = co_await handle;
    CHECK(got == 3);
  });
}

TEST_CASE("M08 a failure goes to who joins, and everybody else lives") {
  run_in(plain_options(), []() -> task<> {
    std::vector<join_handle<int>> others;
    for (int i = 0; i < 10; ++i) others.push_back(spawn(number, i));
    join_handle<> bad = spawn(failing, "expected");
    std::string why;
    try {
      co_await bad;
    } catch (const std::runtime_error& e) {
      why = e.what();
    }
    CHECK(why == "expected");
    int sum = 0;
    for (join_handle<int>& each : others) sum += co_await each;
    CHECK(sum == 45);
  });
}

TEST_CASE("as_result of a handle gives the code, and rethrows what has none") {
  run_in(plain_options(), []() -> task<> {
    join_handle<int> broken = spawn(failing_with, std::errc::broken_pipe);
    const result<int> code = co_await broken.as_result();
    CHECK(code.error() == std::errc::broken_pipe);
    join_handle<int> good = spawn(number, 1);
    const result<int> value = co_await good.as_result();
    CHECK(value.value_or(0) == 1);
    join_handle<> other = spawn(failing, "no code");
    bool thrown = false;
    try {
      static_cast<void>(co_await other.as_result());
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
  });
}

TEST_CASE("a second joiner is told that there is one") {
  run_in(plain_options(1), []() -> task<> {
    std::atomic<bool> go{false};
    const auto job = [](std::atomic<bool>& begin) -> task<int> {
      co_await eventually(begin);
      co_return 1;
    };
    join_handle<int> handle = spawn(job, std::ref(go));
    join_handle<int> first = spawn(join, std::ref(handle));
    for (int i = 0; i < 5; ++i) co_await cove::this_task::yield();
    const result<int> second = co_await handle.as_result();
    CHECK(second.error() == cove::errc::operation_in_progress);
    CHECK(second.error() == std::errc::operation_in_progress);
    go = true;
    const int got = co_await first;
    CHECK(got == 1);
  });
}

// ----- cancelling -----

TEST_CASE("K20 a task that is cancelled before it starts never runs") {
  traveller::counts counts;
  run_in(plain_options(1), [&counts]() -> task<> {
    std::atomic<bool> ran{false};
    const auto job = [](traveller, std::atomic<bool>& flag) -> task<int> {
      flag = true;
      co_return 1;
    };
    join_handle<int> handle = spawn(job, traveller(counts), std::ref(ran));
    handle.cancel();
    const result<int> got = co_await handle.as_result();
    CHECK(got.error() == std::errc::operation_canceled);
    CHECK_FALSE(ran);
    CHECK(counts.live == 0);
  });
}

TEST_CASE("cancelling ends the await at which the task stands") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> begun{false};
    join_handle<int> handle = spawn(until_canceled, std::ref(begun));
    co_await eventually(begun);
    CHECK_FALSE(handle.done());
    handle.cancel();
    const int got = co_await handle;
    CHECK(got == 1);
  });
}

TEST_CASE("a request stays: a task that swallows it fails at its next await") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> begun{false};
    const auto stubborn = [](std::atomic<bool>& flag) -> task<int> {
      int swallowed = 0;
      flag = true;
      for (int i = 0; i < 10; ++i) {
        const result<void> slept = co_await forever().as_result();
        if (!slept) ++swallowed;
        try {
          co_await cove::this_task::yield();
        } catch (const cove::canceled&) {
          ++swallowed;
        }
      }
      co_return swallowed;
    };
    join_handle<int> handle = spawn(stubborn, std::ref(begun));
    co_await eventually(begun);
    handle.cancel();
    const int swallowed = co_await handle;
    CHECK(swallowed == 20);
  });
}

TEST_CASE("cancelling who joins leaves the joined task alone, and the handle good") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> go{false};
    const auto job = [](std::atomic<bool>& begin) -> task<int> {
      co_await eventually(begin);
      co_return 5;
    };
    join_handle<int> target = spawn(job, std::ref(go));
    for (int i = 0; i < 20; ++i) {
      join_handle<int> waiter = spawn(join, std::ref(target));
      if (i % 2 == 0) co_await cove::this_task::yield();
      waiter.cancel();
      const result<int> broken = co_await waiter.as_result();
      CHECK(broken.error() == std::errc::operation_canceled);
      CHECK_FALSE(target.done());
    }
    bool timed_out = false;
    try {
      co_await cove::with_timeout(target, 1ms);
    } catch (const cove::error& e) {
      timed_out = e.code() == cove::errc::deadline_exceeded;
    }
    CHECK(timed_out);
    go = true;
    const int got = co_await target;
    CHECK(got == 5);
  });
}

TEST_CASE("a task that was spawned inherits nothing from the one that spawned it") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> go{false};
    std::atomic<bool> spawned{false};
    join_handle<> child;
    const auto parent = [&]() -> task<> {
      child = spawn(wait_for, std::ref(go));
      spawned = true;
      co_await forever();
    };
    join_handle<> mother = spawn(parent);
    co_await eventually(spawned);
    mother.cancel();
    const result<void> ended = co_await mother.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    go = true;
    const result<void> lived = co_await child.as_result();
    CHECK(lived.has_value());
  });
}

// ----- detached -----

std::atomic<int> handled{0};
void count_failure(std::exception_ptr failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    if (e.what() == std::string("expected")) ++handled;
  } catch (...) {
  }
}

TEST_CASE("the failure of a detached task goes to the runtime's handler") {
  handled = 0;
  auto options = plain_options();
  options.on_detached_failure = count_failure;
  run_in(options, []() -> task<> {
    for (int i = 0; i < 20; ++i) cove::spawn_detached(failing, "expected");
    co_await eventually([] { return handled == 20; });
    // Ending by a request is no failure, nor is the failure of a task that can be joined.
    join_handle<> joined = spawn(failing, "joined");
    const auto ignore = [](join_handle<>& handle) -> task<> {
      try {
        co_await handle;
      } catch (const std::runtime_error&) {
      }
    };
    co_await ignore(joined);
    cove::spawn_detached(forever);
  });
  CHECK(handled == 20);
}

// ----- from outside, and at the end -----

TEST_CASE("spawn outside of a task says where to go") {
  std::string text;
  try {
    spawn(number, 1);
  } catch (const cove::error& e) {
    text = e.what();
    CHECK(e.code() == std::errc::operation_not_permitted);
  }
  CHECK(text.find("runtime::spawn") != std::string::npos);
}

TEST_CASE("a thread spawns, waits, and takes the value or the exception") {
  run_in(plain_options(), [](runtime& in) {
    CHECK(in.wait(in.spawn(number, 3)) == 3);
    CHECK_THROWS_AS(in.wait(in.spawn(failing, "expected")), std::runtime_error);
    join_handle<int> handle = in.spawn(number, 4);
    CHECK(thread_waits_for([&] { return handle.done(); }));
    CHECK(in.wait(std::move(handle)) == 4);
    std::atomic<bool> begun{false};
    join_handle<int> sleeper = in.spawn(until_canceled, std::ref(begun));
    CHECK(thread_waits_for([&] { return begun.load(); }));
    sleeper.cancel();
    CHECK(in.wait(std::move(sleeper)) == 1);
  });
}

TEST_CASE("a task of one runtime spawns in another and joins there") {
  runtime other(plain_options(1));
  run_in(plain_options(1), [&other]() -> task<> {
    const auto where = []() -> task<runtime*> {
      co_await cove::this_task::yield();
      co_return runtime::current();
    };
    for (int i = 0; i < 100; ++i) {
      join_handle<runtime*> handle = other.spawn(where);
      runtime* const ran_in = co_await handle;
      CHECK(ran_in == &other);
      CHECK(runtime::current() != &other);
    }
  });
  CHECK(other.stop(10s));
  CHECK(other.stats().tasks_live == 0);
}

TEST_CASE("M05 spawning after the stop destroys what was given, and reports canceled") {
  traveller::counts counts;
  std::atomic<bool> ran{false};
  run_in(plain_options(), [&](runtime& in) {
    CHECK(in.wait(in.spawn(number, 1)) == 1);
    CHECK(in.stop(10s));
    const auto job = [&ran](traveller) -> task<int> {
      ran = true;
      co_return 1;
    };
    join_handle<int> refused = in.spawn(job, traveller(counts));
    CHECK(counts.live == 0);
    CHECK(refused.id() == 0);
    CHECK(refused.done());
    refused.cancel();
    CHECK_THROWS_AS(in.wait(std::move(refused)), cove::canceled);
  });
  CHECK_FALSE(ran);
}

TEST_CASE("M05 a task that unwinds at the stop can spawn nothing") {
  traveller::counts counts;
  std::atomic<int> refused{0};
  run_in(plain_options(), [&](runtime& in) {
    std::atomic<bool> begun{false};
    const auto job = [&](traveller) -> task<> {
      begun = true;
      const result<void> ended = co_await forever().as_result();
      CHECK(ended.error() == std::errc::operation_canceled);
      join_handle<int> late = spawn(number, 1);
      CHECK(late.id() == 0);
      const result<int> got = co_await late.as_result();
      if (got.error() == std::errc::operation_canceled) ++refused;
      cove::spawn_detached(number, 2);
    };
    in.spawn(job, traveller(counts));
    CHECK(thread_waits_for([&] { return begun.load(); }));
    CHECK(in.stop(10s));
  });
  CHECK(refused == 1);
  CHECK(counts.live == 0);
}

TEST_CASE("M05 spawns that race with the stop run or are refused, and leak nothing") {
  constexpr int rounds = cove::test::sanitized ? 50 : 100;
  for (int round = 0; round < rounds; ++round) {
    traveller::counts counts;
    std::atomic<int> given{0}, ran{0}, refused{0};
    run_in(plain_options(), [&](runtime& in) {
      std::atomic<bool> over{false};
      const auto job = [&ran](traveller) -> task<> {
        ++ran;
        co_await forever();
      };
      std::thread spawner([&] {
        // Not without end, for on a busy machine this thread may be the only one to run for a
        // while.
        while (!over && given < 1000) {
          ++given;
          join_handle<> handle = in.spawn(job, traveller(counts));
          if (handle.id() == 0) ++refused;
          if (given % 3 == 0) handle.cancel();
        }
      });
      thread_waits_for([&] { return given > 20; });
      CHECK(in.stop(10s));
      over = true;
      spawner.join();
      CHECK(in.stats().tasks_spawned == static_cast<std::uint64_t>(given - refused));
    });
    CHECK(ran <= given - refused);
    CHECK(counts.live == 0);
  }
}

TEST_CASE("a handle may outlive the group and the runtime of a task that failed") {
  join_handle<> kept, also_kept;
  run_in(plain_options(), [&]() -> task<> {
    bool thrown = false;
    auto body = [&kept](cove::scope& parts) -> task<> {
      kept = parts.spawn(failing, "in a scope");
      co_return;
    };
    try {
      co_await cove::with_scope(body);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
    auto jobs = [&also_kept](cove::supervisor& all) -> task<> {
      also_kept = all.spawn(failing, "in a supervisor");
      co_return;
    };
    co_await cove::with_supervisor(jobs);
  });
  CHECK(kept.done());
  CHECK(also_kept.done());
}

}  // namespace
