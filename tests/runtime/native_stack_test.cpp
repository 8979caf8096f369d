#include "native_stack.hpp"

#include <cove/runtime.hpp>

#include "support/runtime_test.hpp"
#include "support/stress.hpp"
#include "symbols.hpp"

#include <doctest/doctest.h>

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

// Threads that block or compute are asked where they stand. Their functions have C names, so that
// both compilers call them the same; each goes on until its flag says that it is over.

using cove::runtime;
using cove::task;
using cove::detail::describe;
using cove::detail::native_stack;
using cove::detail::native_stack_signal;
using cove::detail::readable_function;
using cove::detail::this_thread_number;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::thread_waits_for;

using flag = std::atomic<bool>;

extern "C" [[gnu::noinline]] void stack_test_sleeps(const flag& over) {
  const timespec moment{0, 1'000'000};
  while (!over) ::nanosleep(&moment, nullptr);  // tidy: allow (the subject is a thread that sleeps)
}

extern "C" [[gnu::noinline]] void stack_test_waits(const flag& over) {
  std::mutex lock;
  std::condition_variable never;
  std::unique_lock guard(lock);
  while (!over) never.wait_for(guard, std::chrono::milliseconds(1));
}

extern "C" [[gnu::noinline]] void stack_test_computes(const flag& over) {
  for (volatile unsigned sum = 0; !over;) sum = sum + 1;
}

extern "C" [[gnu::noinline]] void stack_test_allocates(const flag& over) {
  for (std::size_t size = 1; !over; size = size % 5000 + 7) {
    std::string text(size, 'x');
    CHECK_EQ(text.size(), size);
  }
}

extern "C" [[gnu::noinline]] void stack_test_throws(const flag& over) {
  while (!over) {
    try {
      throw std::runtime_error("again");
    } catch (const std::exception&) {
    }
  }
}

namespace {

/// Whoever is asked answers, sooner or later.
constexpr std::int64_t ever = 60'000'000'000;
constexpr std::int64_t soon = 5'000'000;

using body = void (*)(const flag& over);

/// A thread that is where its body is, until it goes.
class target {
 public:
  explicit target(body where) {
    thread_ = std::thread([this, where] {
      number_ = this_thread_number();
      number_.notify_one();
      where(over_);
    });
    number_.wait(0);
  }
  target(const target&) = delete;
  target& operator=(const target&) = delete;
  ~target() { end(); }

  int number() const noexcept { return number_; }
  void end() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  flag over_{false};
  std::atomic<int> number_{0};
  std::thread thread_;
};

std::string where_is(native_stack_signal& stacks, int thread) {
  native_stack stack;
  const std::error_code failed = stacks.capture(thread, ever, stack);
  return failed ? failed.message() : describe(stack);
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Until the thread has come that far.
void check_stands_in(native_stack_signal& stacks, const target& thread, std::string_view function) {
  std::string text;
  thread_waits_for([&] { return holds(text = where_is(stacks, thread.number()), function); });
  CHECK_MESSAGE(holds(text, function), text);
}

struct sigaction action_of(int number) {
  struct sigaction now{};
  REQUIRE(::sigaction(number, nullptr, &now) == 0);
  return now;
}

bool is_default(int number) { return action_of(number).sa_handler == SIG_DFL; }

void ignore(int number) {
  struct sigaction ignored{};
  ignored.sa_handler = SIG_IGN;
  REQUIRE(::sigaction(number, &ignored, nullptr) == 0);
}

void by_default(int number) {
  struct sigaction normal{};
  normal.sa_handler = SIG_DFL;
  REQUIRE(::sigaction(number, &normal, nullptr) == 0);
}

void block_all_signals() {
  sigset_t every;
  ::sigfillset(&every);
  ::pthread_sigmask(SIG_SETMASK, &every, nullptr);
}

bool unblock_and_see_pending(int number) {
  sigset_t pending;
  ::sigpending(&pending);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  return ::sigismember(&pending, number) == 1;
}

}  // namespace

TEST_CASE("M19 a thread is found where it sleeps, waits, computes, allocates or throws") {
  native_stack_signal stacks;
  SUBCASE("sleeps") { check_stands_in(stacks, target(stack_test_sleeps), "stack_test_sleeps"); }
  SUBCASE("waits") { check_stands_in(stacks, target(stack_test_waits), "stack_test_waits"); }
  SUBCASE("computes") {
    check_stands_in(stacks, target(stack_test_computes), "stack_test_computes");
  }
  SUBCASE("allocates") {
    check_stands_in(stacks, target(stack_test_allocates), "stack_test_allocates");
  }
  SUBCASE("throws") { check_stands_in(stacks, target(stack_test_throws), "stack_test_throws"); }
}

TEST_CASE("M19 a stack begins where the thread was, not in the handler") {
  native_stack_signal stacks;
  const target thread(stack_test_computes);
  if (cove::test::sanitized) return;  // ThreadSanitizer runs handlers from functions of its own.
  // Without optimisation it may also be in the flag's.
  std::string text;
  const auto at_top = [&] {
    text = where_is(stacks, thread.number());
    return text.starts_with("  #0 stack_test_computes (cove-unit-tests+0x");
  };
  CHECK_MESSAGE(thread_waits_for(at_top), text);
  CHECK_MESSAGE(!holds(text, "cove_on_stack_signal"), text);
}

TEST_CASE("M19 a thread can ask itself") {
  native_stack_signal stacks;
  const std::string text = where_is(stacks, this_thread_number());
  CHECK_MESSAGE(holds(text, "capture"), text);
}

TEST_CASE("M19 a thread that has ended is refused by name of its fault") {
  native_stack_signal stacks;
  target thread(stack_test_sleeps);
  thread.end();
  native_stack stack;
  // Who joined it may be faster than the system, which still has to take the thread off its
  // list, and until then takes signals that nobody will answer.
  std::error_code failed;
  thread_waits_for([&] {
    failed = stacks.capture(thread.number(), soon, stack);
    return failed == std::errc::no_such_process;
  });
  CHECK(failed == std::errc::no_such_process);
  CHECK(stack.depth == 0);
}

TEST_CASE("M19 a thread that blocks all signals costs the limit, and keeps none of them") {
  static std::atomic<int> step;
  static std::atomic<int> left;
  step = 0;
  left = -1;
  native_stack_signal stacks;
  const target thread([](const flag& over) {
    block_all_signals();
    step = 1;
    while (step != 2) std::this_thread::yield();
    left = unblock_and_see_pending(SIGRTMIN) ? 1 : 0;
    stack_test_computes(over);
  });
  REQUIRE(stacks.number() == SIGRTMIN);
  REQUIRE(thread_waits_for([] { return step == 1; }));
  native_stack stack;
  for (int i = 0; i < 3; ++i)
    CHECK(stacks.capture(thread.number(), soon, stack) == std::errc::timed_out);
  CHECK(stack.depth == 0);
  const target other(stack_test_waits);
  check_stands_in(stacks, other, "stack_test_waits");
  step = 2;
  REQUIRE(thread_waits_for([] { return left != -1; }));
  CHECK(left.load() == 0);
  check_stands_in(stacks, thread, "stack_test_computes");
}

TEST_CASE("M19 a thread that unblocks signals after the last user has gone survives") {
  static std::atomic<int> step;
  step = 0;
  const target thread([](const flag& over) {
    block_all_signals();
    step = 1;
    while (step != 2) std::this_thread::yield();
    unblock_and_see_pending(SIGRTMIN);
    stack_test_sleeps(over);
  });
  REQUIRE(thread_waits_for([] { return step == 1; }));
  {
    native_stack_signal stacks;
    native_stack stack;
    CHECK(stacks.capture(thread.number(), soon, stack) == std::errc::timed_out);
  }
  step = 2;
  native_stack_signal stacks;
  check_stands_in(stacks, thread, "stack_test_sleeps");
}

TEST_CASE("M19 errno is the interrupted thread's") {
  static std::atomic<bool> kept;
  static std::atomic<bool> set;
  kept = true;
  set = false;
  native_stack_signal stacks;
  target thread([](const flag& over) {
    errno = ERANGE;
    set = true;
    while (!over)
      if (errno != ERANGE) kept = false;
  });
  REQUIRE(thread_waits_for([] { return set.load(); }));
  native_stack stack;
  for (int i = 0; i < 20; ++i) CHECK(!stacks.capture(thread.number(), ever, stack));
  thread.end();
  CHECK(kept.load());
}

TEST_CASE("M19 one signal is taken, the first free one, and given back by the last user") {
  REQUIRE(is_default(SIGRTMIN));
  REQUIRE(is_default(SIGRTMIN + 1));
  ignore(SIGRTMIN);
  {
    native_stack_signal outer;
    CHECK(outer.number() == SIGRTMIN + 1);
    {
      const native_stack_signal inner;
      CHECK(inner.number() == SIGRTMIN + 1);
      for (int number = 1; number <= SIGRTMAX; ++number)
        if (number != SIGRTMIN + 1 && number != SIGRTMIN && number >= SIGRTMIN)
          CHECK(is_default(number));
    }
    CHECK_FALSE(is_default(SIGRTMIN + 1));
    check_stands_in(outer, target(stack_test_sleeps), "stack_test_sleeps");
  }
  CHECK(is_default(SIGRTMIN + 1));
  by_default(SIGRTMIN);
}

TEST_CASE("M19 what the program does with the signal later is left alone") {
  {
    native_stack_signal stacks;
    REQUIRE(stacks.number() == SIGRTMIN);
    ignore(SIGRTMIN);
    native_stack stack;
    CHECK(stacks.capture(this_thread_number(), ever, stack) == std::errc::operation_not_permitted);
  }
  const bool ignored = action_of(SIGRTMIN).sa_handler == SIG_IGN;
  CHECK(ignored);
  by_default(SIGRTMIN);
}

TEST_CASE("M19 a signal that the program takes while a thread is asked stays the program's") {
  static std::atomic<bool> blocked;
  blocked = false;
  {
    native_stack_signal stacks;
    const target thread([](const flag& over) {
      block_all_signals();
      blocked = true;
      sigset_t pending;
      while (!over && ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGRTMIN) == 0)
        continue;
      ignore(SIGRTMIN);
    });
    REQUIRE(thread_waits_for([] { return blocked.load(); }));
    native_stack stack;
    CHECK(stacks.capture(thread.number(), 20 * soon, stack) == std::errc::timed_out);
  }
  const bool ignored = action_of(SIGRTMIN).sa_handler == SIG_IGN;
  CHECK(ignored);
  by_default(SIGRTMIN);
}

TEST_CASE("M19 the signal sent by somebody else does nothing") {
  native_stack_signal stacks;
  ::raise(stacks.number());
  sigval value{};
  value.sival_int = 1;
  CHECK(::pthread_sigqueue(::pthread_self(), stacks.number(), value) == 0);
  check_stands_in(stacks, target(stack_test_sleeps), "stack_test_sleeps");
}

TEST_CASE("M19 no answer is taken for another's, however late it comes") {
  native_stack_signal stacks;
  const std::array<body, 4> bodies{stack_test_sleeps, stack_test_waits, stack_test_allocates,
                                   stack_test_throws};
  const std::array<const char*, 4> names{"stack_test_sleeps", "stack_test_waits",
                                         "stack_test_allocates", "stack_test_throws"};
  target t0(bodies[0]), t1(bodies[1]), t2(bodies[2]), t3(bodies[3]);
  const std::array<target*, 4> targets{&t0, &t1, &t2, &t3};
  for (std::size_t i = 0; i < 4; ++i) check_stands_in(stacks, *targets[i], names[i]);
  std::atomic<int> wrong{0};
  std::atomic<int> answered{0};
  const auto captor = [&](std::size_t first) {
    const std::uint64_t rounds = cove::test::stress_rounds(150);
    for (std::uint64_t round = 0; round < rounds; ++round) {
      const std::size_t i = (first + round) % 4;
      native_stack stack;
      // Every other one is given up at once, in whatever state it is.
      const std::int64_t limit =
          round % 2 == 0 ? ever : static_cast<std::int64_t>(round % 30) * 700;
      const std::error_code failed = stacks.capture(targets[i]->number(), limit, stack);
      if (!failed) {
        ++answered;
        if (!holds(describe(stack), names[i])) ++wrong;
      } else if (failed != std::errc::timed_out && failed != std::errc::device_or_resource_busy) {
        ++wrong;
      }
    }
  };
  std::thread other(captor, 0);
  captor(1);
  other.join();
  CHECK(wrong.load() == 0);
  CHECK(answered.load() > 0);
}

namespace {

std::atomic<int> worker{0};
flag task_over;

task<> blocks_its_worker() {
  worker = this_thread_number();
  stack_test_sleeps(task_over);
  co_return;
}

task<> awaits_one_that_blocks() { co_await blocks_its_worker(); }

}  // namespace

TEST_CASE("M19 a worker's stack ends at the coroutine that it had resumed") {
  worker = 0;
  task_over = false;
  run_in(plain_options(1), [](runtime& in) {
    native_stack_signal stacks;
    in.spawn(awaits_one_that_blocks);
    REQUIRE(thread_waits_for([] { return worker != 0; }));
    std::string text;
    thread_waits_for([&] { return holds(text = where_is(stacks, worker), "stack_test_sleeps"); });
    CHECK_MESSAGE(holds(text, "::blocks_its_worker() [coroutine] (cove-unit-tests+0x"), text);
    CHECK_MESSAGE(!holds(text, "cove::sched"), text);
    task_over = true;
  });
}

TEST_CASE("names that compilers give to coroutines are readable") {
  CHECK(readable_function("_Z3fooi.resume") == "foo(int) [coroutine]");
  CHECK(readable_function("_Z3fooPZ3fooiE13_Z3fooi.Frame.actor") == "foo(int) [coroutine]");
  CHECK(readable_function("_ZN3app1S3memEPZNKRS0_3memEiE23_ZNKR3app1S3memEi.Frame.actor") ==
        "app::S::mem(int) const & [coroutine]");
  CHECK(readable_function("_Z3fooPZ3fooiE13_Z3fooi.Frame.destroy") == "foo(int)");
  CHECK(readable_function("_Z3fooi.part.0.cold") == "foo(int)");
  CHECK(readable_function("_Z3fooi") == "foo(int)");
  CHECK(readable_function("main") == "main");
  CHECK(readable_function("_Znonsense") == "_Znonsense");
  CHECK(readable_function(".Frame.actor").find("coroutine") != std::string::npos);
  CHECK(readable_function("").empty());
}

TEST_CASE("an address outside of all code is a number") {
  native_stack stack;
  stack.at[0] = 0x10;
  stack.depth = 1;
  CHECK(describe(stack) == "  #0 0x10\n");
  stack.depth = 0;
  CHECK(describe(stack).empty());
}
