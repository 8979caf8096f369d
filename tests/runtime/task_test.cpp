#include <cove/runtime/task.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/runtime_test.hpp"

namespace {

using cove::result;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

// Exceptions of every kind.
struct not_derived {
  int number;
};
class own_error : public std::runtime_error {
 public:
  explicit own_error(int n) : std::runtime_error("own"), number(n) {}
  int number;
};

/// Counts how many of it live.
class counted {
 public:
  explicit counted(int& live) noexcept : live_(&live) { ++*live_; }
  counted(const counted& other) noexcept : live_(other.live_) { ++*live_; }
  counted(counted&& other) noexcept : live_(other.live_) { ++*live_; }
  counted& operator=(const counted&) = delete;
  ~counted() { --*live_; }

 private:
  int* live_;
};

// No constructor without arguments, no copy, no assignment.
class move_only {
 public:
  explicit move_only(int n) noexcept : number_(std::make_unique<int>(n)) {}
  int number() const noexcept { return *number_; }

 private:
  std::unique_ptr<int> number_;
};

task<int> number(int n) { co_return n; }
task<> nothing() { co_return; }
task<> give_way() { co_await cove::this_task::yield(); }
task<int> number_later(int n) {
  co_await cove::this_task::yield();
  co_return n;
}
template <class E>
task<> throwing(E failure) {
  co_await give_way();
  throw failure;
}
template <class E>
task<int> throwing_at_once(E failure) {
  if (true) throw failure;
  co_return 0;
}

// ----- values -----

TEST_CASE("a task gives its value to who awaits it") {
  run_in(plain_options(), []() -> task<> {
    const int at_once = co_await number(7);
    CHECK(at_once == 7);
    const int later = co_await number_later(8);
    CHECK(later == 8);
    co_await nothing();
    const auto text = [](std::string name) -> task<std::string> { co_return "hello " + name; };
    const std::string greeting = co_await text("you, in a string too long to be kept inside");
    CHECK(greeting == "hello you, in a string too long to be kept inside");
  });
}

TEST_CASE("a task gives a reference to the thing itself") {
  run_in(plain_options(), []() -> task<> {
    int thing = 1;
    const auto same = [](int& it) -> task<int&> {
      co_await give_way();
      co_return it;
    };
    int& got = co_await same(thing);
    CHECK(&got == &thing);
    const auto fixed = [](const int& it) -> task<const int&> { co_return it; };
    const int& seen = co_await fixed(thing);
    CHECK(&seen == &thing);
    const auto moved = [](int& it) -> task<int&&> { co_return static_cast<int&&>(it); };
    int&& ready_to_move = co_await moved(thing);
    CHECK(&ready_to_move == &thing);
  });
}

TEST_CASE("a task gives what can only be moved") {
  run_in(plain_options(), []() -> task<> {
    const auto make = [](int n) -> task<move_only> {
      co_await give_way();
      co_return move_only(n);
    };
    move_only got = co_await make(5);
    CHECK(got.number() == 5);
    const auto pass = [](std::unique_ptr<int> p) -> task<std::unique_ptr<int>> { co_return p; };
    auto pointer = std::make_unique<int>(6);
    const int* const raw = pointer.get();
    const std::unique_ptr<int> back = co_await pass(std::move(pointer));
    CHECK(back.get() == raw);
  });
}

TEST_CASE("a value that nobody takes is destroyed") {
  int live = 0;
  run_in(plain_options(), [&live]() -> task<> {
    const auto make = [](int& count) -> task<counted> { co_return counted(count); };
    {
      const counted kept = co_await make(live);
      CHECK(live == 1);
    }
    CHECK(live == 0);
    co_await make(live);
    CHECK(live == 0);
  });
}

// ----- life -----

TEST_CASE("a task that is not awaited never runs, and gives its arguments back") {
  int live = 0;
  bool ran = false;
  const auto job = [](counted, bool& flag) -> task<> {
    flag = true;
    co_return;
  };
  {
    const task<> one = job(counted(live), ran);
    CHECK(one.valid());
    CHECK(live == 1);
  }
  CHECK(live == 0);
  task<> first = job(counted(live), ran);
  task<> second = job(counted(live), ran);
  CHECK(live == 2);
  first = std::move(second);
  CHECK(live == 1);
  CHECK_FALSE(second.valid());
  CHECK(first.valid());
  const task<> third = std::move(first);
  CHECK(live == 1);
  CHECK_FALSE(ran);
}

TEST_CASE("a task may be made by one thread and awaited by another") {
  int live = 0;
  const auto job = [](counted, std::thread::id maker) -> task<bool> {
    co_return std::this_thread::get_id() != maker;
  };
  task<bool> made = job(counted(live), std::this_thread::get_id());
  const bool elsewhere = run_in(plain_options(), [&made]() -> task<bool> {
    const bool answer = co_await std::move(made);
    co_return answer;
  });
  CHECK(elsewhere);
}

TEST_CASE("the frame of a task and its parameters end with the expression that awaits it") {
  int live = 0;
  run_in(plain_options(), [&live]() -> task<> {
    const auto job = [](counted, int& count) -> task<int> {
      const counted local(count);
      co_await give_way();
      co_return count;
    };
    const int during = co_await job(counted(live), live);
    CHECK(during >= 2);
    CHECK(live == 0);
  });
}

TEST_CASE("a task tells the function that it is") {
  const task<int> made = number(1);
  CHECK(std::string(made.place().function_name()).find("number") != std::string::npos);
  CHECK(std::string(made.place().file_name()).find("task_test") != std::string::npos);
}

// ----- exceptions -----

TEST_CASE("whatever leaves a task leaves the await, as it is") {
  run_in(plain_options(), []() -> task<> {
    int caught = 0;
    try {
      co_await throwing(own_error(3));
    } catch (const own_error& e) {
      caught = e.number;
    }
    CHECK(caught == 3);
    try {
      co_await throwing(not_derived{4});
    } catch (const not_derived& e) {
      caught = e.number;
    }
    CHECK(caught == 4);
    try {
      co_await throwing_at_once(5);
    } catch (int n) {
      caught = n;
    }
    CHECK(caught == 5);
    std::error_code code;
    try {
      co_await throwing(cove::error(cove::errc::closed, "read"));
    } catch (const std::system_error& e) {
      code = e.code();
    }
    CHECK(code == cove::errc::closed);
  });
}

TEST_CASE("an exception passes through many tasks and destroys what is in them") {
  int live = 0;
  run_in(plain_options(), [&live]() -> task<> {
    const auto dive = [](auto self, int depth, int& count) -> task<int> {
      const counted local(count);
      if (depth == 0) throw own_error(count);
      const int below = co_await self(self, depth - 1, count);
      co_return below;
    };
    int deepest = 0;
    try {
      co_await dive(dive, 100, live);
    } catch (const own_error& e) {
      deepest = e.number;
    }
    CHECK(deepest == 101);
    CHECK(live == 0);
  });
}

TEST_CASE("an exception of a value's own move leaves the await") {
  struct bad_move {
    bad_move() = default;
    bad_move(bad_move&&) noexcept(false) { throw own_error(9); }
  };
  run_in(plain_options(), []() -> task<> {
    const auto make = []() -> task<bad_move> { co_return bad_move(); };
    bool thrown = false;
    try {
      co_await make();
    } catch (const own_error&) {
      thrown = true;
    }
    CHECK(thrown);
  });
}

TEST_CASE("a task goes on after it caught what a child threw") {
  run_in(plain_options(), []() -> task<> {
    int caught = 0;
    for (int i = 0; i < 1000; ++i) {
      try {
        co_await throwing(i);
      } catch (int n) {
        caught += n == i ? 1 : 0;
      }
    }
    CHECK(caught == 1000);
  });
}

// ----- as_result -----

TEST_CASE("as_result gives the value, or the code of what the system reports") {
  run_in(plain_options(), []() -> task<> {
    const result<int> good = co_await number(7).as_result();
    REQUIRE(good.has_value());
    CHECK(*good == 7);
    const result<void> done = co_await nothing().as_result();
    CHECK(done.has_value());
    const result<void> bad = co_await throwing(cove::error(cove::errc::closed, "x")).as_result();
    CHECK(bad.error() == cove::errc::closed);
    const auto system = std::system_error(std::make_error_code(std::errc::broken_pipe));
    const result<int> broken = co_await throwing_at_once(system).as_result();
    CHECK(broken.error() == std::errc::broken_pipe);
    const result<void> stopped = co_await throwing(cove::canceled()).as_result();
    CHECK(stopped.error() == std::errc::operation_canceled);
  });
}

TEST_CASE("as_result passes on what can only be moved") {
  run_in(plain_options(), []() -> task<> {
    const auto make = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
    result<std::unique_ptr<int>> got = co_await make().as_result();
    REQUIRE(got.has_value());
    CHECK(**got == 3);
  });
}

TEST_CASE("as_result rethrows every other exception") {
  run_in(plain_options(), []() -> task<> {
    int caught = 0;
    try {
      static_cast<void>(co_await throwing(own_error(3)).as_result());
    } catch (const own_error& e) {
      caught = e.number;
    }
    CHECK(caught == 3);
    try {
      static_cast<void>(co_await throwing_at_once(4).as_result());
    } catch (int n) {
      caught = n;
    }
    CHECK(caught == 4);
  });
}

// ----- the stack -----

/// How far apart the frames of the functions are that note themselves here.
class stack_range {
 public:
  void note() noexcept {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (here < low_) low_ = here;
    if (here > high_) high_ = here;
  }
  std::uintptr_t bytes() const noexcept { return high_ > low_ ? high_ - low_ : 0; }

 private:
  std::uintptr_t low_ = UINTPTR_MAX;
  std::uintptr_t high_ = 0;
};

constexpr std::uintptr_t flat_bytes = 256 * 1024;

task<int> noting(stack_range& stack, int n) {
  stack.note();
  co_return n & 1;
}

TEST_CASE("ten million awaits of a ready child keep the stack flat") {
  run_in(plain_options(1), []() -> task<> {
    constexpr int rounds = 10'000'000;
    stack_range stack;
    int odd = 0;
    for (int i = 0; i < rounds; ++i) odd += co_await noting(stack, i);
    CHECK(odd == rounds / 2);
    CHECK(stack.bytes() < flat_bytes);
  });
}

task<std::uint64_t> descend(stack_range& stack, int depth) {
  stack.note();
  if (depth == 0) co_return std::uint64_t{0};
  const std::uint64_t below = co_await descend(stack, depth - 1);
  stack.note();
  co_return below + 1;
}

TEST_CASE("a hundred thousand tasks deep, and back") {
  run_in(plain_options(1), []() -> task<> {
    constexpr int depth = 100'000;
    stack_range stack;
    const std::uint64_t reached = co_await descend(stack, depth);
    CHECK(reached == depth);
    CHECK(stack.bytes() < flat_bytes);
  });
}

task<int> fall(stack_range& stack, int depth) {
  stack.note();
  if (depth == 0) throw own_error(1);
  co_return co_await fall(stack, depth - 1);
}

TEST_CASE("an exception from a hundred thousand tasks deep keeps the stack flat") {
  run_in(plain_options(1), []() -> task<> {
    constexpr int depth = 100'000;
    stack_range stack;
    bool caught = false;
    try {
      co_await fall(stack, depth);
    } catch (const own_error&) {
      caught = true;
    }
    CHECK(caught);
    CHECK(stack.bytes() < flat_bytes);
  });
}

task<int> descend_and_wait(stack_range& down, stack_range& up, int depth) {
  down.note();
  int above = 0;
  if (depth == 0)
    co_await cove::this_task::yield();
  else
    above = co_await descend_and_wait(down, up, depth - 1);
  up.note();
  co_return above + 1;
}

TEST_CASE("a hundred thousand tasks wait for one that waits itself") {
  // One worker: two have two stacks.
  run_in(plain_options(1), []() -> task<> {
    constexpr int depth = 100'000;
    stack_range down, up;
    const int count = co_await descend_and_wait(down, up, depth);
    CHECK(count == depth + 1);
    CHECK(down.bytes() < flat_bytes);
    CHECK(up.bytes() < flat_bytes);
  });
}

}  // namespace
