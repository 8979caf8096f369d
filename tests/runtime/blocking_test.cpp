#include <cove/runtime/blocking.hpp>

#include <cove/runtime/virtual_time.hpp>

#include "support/blocked_calls.hpp"
#include "support/parcel.hpp"
#include "support/runtime_test.hpp"

#include <memory>

// What a call on the pool gives, and what a request, a limit or the end of its runtime make of it.
// Its storms are in blocking_storm_test.cpp.

namespace {

using namespace std::chrono_literals;
using cove::blocking;
using cove::clock;
using cove::runtime;
using cove::spawn;
using cove::task;
using cove::test::blocked_calls;
using cove::test::code_of;
using cove::test::eventually;
using cove::test::outcome_of;
using cove::test::parcel;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::small_pool;

int add(int a, int b) { return a + b; }
void note_thread(std::thread::id* where) { *where = std::this_thread::get_id(); }
int& same(int& number) { return number; }
auto keep(int number) {
  return [held = std::make_unique<int>(number)] { return *held; };
}
parcel pack(parcel&& from, int more) { return parcel(from.number() + more); }

TEST_CASE("a call gives what it returns, and is made on another thread") {
  run_in(plain_options(1), []() -> task<> {
    const int sum = co_await blocking(add, 2, 3);
    CHECK(sum == 5);
    std::thread::id where;
    co_await blocking(note_thread, &where);
    CHECK(where != std::thread::id());
    CHECK(where != std::this_thread::get_id());
    const std::string text("a text that is too long to be kept within the string itself");
    const std::string upper = co_await blocking(&std::string::substr, text, 2U, 4U);
    CHECK(upper == "text");
  });
}

TEST_CASE("a call gives references, and takes and gives what can only be moved") {
  run_in(plain_options(1), []() -> task<> {
    int number = 1;
    int& same_one = co_await blocking(same, std::ref(number));
    CHECK(&same_one == &number);
    parcel first(40);
    const parcel second = co_await blocking(pack, std::move(first), 2);
    CHECK(second.number() == 42);
    auto holder = keep(7);
    const int held = co_await blocking(std::move(holder));
    CHECK(held == 7);
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("callable and arguments live until the end of the await, and not longer") {
  run_in(plain_options(1), []() -> task<> {
    const auto count = [](const parcel&) { return parcel::alive.load(); };
    parcel given(1);
    const int during = co_await blocking(count, std::move(given));
    CHECK(during == 2);
    CHECK(parcel::alive == 1);
  });
}

struct own_failure {
  int number;
};
void throw_own(int number) { throw own_failure{number}; }
int throw_code(std::errc code) { throw std::system_error(std::make_error_code(code)); }
int throw_text(const char* text) { throw std::runtime_error(text); }

TEST_CASE("F14 what leaves a call is thrown to its waiter, unchanged") {
  run_in(plain_options(1), []() -> task<> {
    int thrown = 0;
    try {
      co_await blocking(throw_own, 17);
    } catch (const own_failure& failure) {
      thrown = failure.number;
    }
    CHECK(thrown == 17);
    const int next = co_await blocking(add, 1, 1);
    CHECK(next == 2);  // Its thread is as good as before.
  });
}

TEST_CASE("as_result gives a value or a code, and throws what is no system error") {
  run_in(plain_options(1), []() -> task<> {
    const auto sum = co_await blocking(add, 1, 2).as_result();
    CHECK(sum.value() == 3);
    std::thread::id where;
    const auto done = co_await blocking(note_thread, &where).as_result();
    CHECK(done.has_value());
    const auto failed = co_await blocking(throw_code, std::errc::io_error).as_result();
    CHECK(failed.error() == std::errc::io_error);
    auto wrong = blocking(throw_text, "neither value nor code").as_result();
    const std::string text = co_await outcome_of(std::move(wrong));
    CHECK(text == "neither value nor code");
  });
}

task<int> pass(blocked_calls* at, int number) {
  const int passed = co_await blocking(&blocked_calls::pass, at, number);
  co_return passed;
}

TEST_CASE("F14 no more calls run at once than there may be threads; the others wait in order") {
  run_in(small_pool(2), []() -> task<> {
    blocked_calls calls;
    std::vector<cove::join_handle<int>> all;
    for (int i = 0; i < 6; ++i) {
      all.push_back(spawn(pass, &calls, i));
      const auto is_submitted = [i] {
        const auto now = runtime::current()->stats();
        return now.pool.user.running + now.pool.user.queued == static_cast<unsigned>(i) + 1;
      };
      co_await eventually(is_submitted);
      co_await calls.have_begun(std::min(i + 1, 2));  // The two first may else change places.
    }
    const auto now = runtime::current()->stats();
    CHECK(now.pool.user.running == 2);
    CHECK(now.pool.user.queued == 4);
    CHECK(now.pool.user.threads == 2);
    CHECK(now.pool.user.threads_max == 2);
    for (int begun = 2; begun <= 6; ++begun) {
      co_await calls.have_begun(begun);
      CHECK(calls.begun() == begun);
      calls.release(1);
    }
    calls.release(1);
    for (int i = 0; i < 6; ++i) {
      const int passed = co_await all[static_cast<std::size_t>(i)];
      CHECK(passed == i);
    }
    CHECK(calls.in_order());
    CHECK(runtime::current()->stats().pool.user.finished == 6);
  });
}

TEST_CASE("a thread is started when it is needed; one call after the other needs one") {
  run_in(small_pool(8), []() -> task<> {
    CHECK(runtime::current()->stats().pool.user.threads == 0);
    for (int i = 0; i < 100; ++i) static_cast<void>(co_await blocking(add, i, i));
    CHECK(runtime::current()->stats().pool.user.threads == 1);
    CHECK(runtime::current()->stats().pool.user.finished == 100);
  });
}

TEST_CASE("a lane whose threads are all stuck holds up no other lane") {
  run_in(small_pool(1), []() -> task<> {
    blocked_calls calls;
    auto runs = spawn(pass, &calls, 1);
    co_await calls.have_begun(1);
    auto waits = spawn(pass, &calls, 2);
    co_await calls.are_queued(1);
    const int filed = co_await blocking(cove::pool_lane::file, add, 1, 2);
    CHECK(filed == 3);
    const auto named = co_await blocking(cove::pool_lane::dns, add, 2, 2).as_result();
    CHECK(named.value() == 4);
    CHECK(calls.begun() == 1);
    calls.release(2);
    static_cast<void>(co_await runs);
    static_cast<void>(co_await waits);
  });
}

TEST_CASE("F11 a call that waits for its turn is taken back, and is never made") {
  run_in(small_pool(1), []() -> task<> {
    blocked_calls calls;
    auto runs = spawn(pass, &calls, 1);
    co_await calls.have_begun(1);
    auto waits = spawn(pass, &calls, 2);
    co_await calls.are_queued(1);
    waits.cancel();
    const auto ended = co_await waits.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(runtime::current()->stats().pool.user.queued == 0);
    calls.release(1);
    const int first = co_await runs;
    CHECK(first == 1);
    CHECK(calls.begun() == 1);
  });
}

TEST_CASE("F11 a call that has begun is waited for, and its outcome is honoured") {
  run_in(small_pool(1), []() -> task<> {
    blocked_calls calls;
    auto runs = spawn(pass, &calls, 1);
    co_await calls.have_begun(1);
    runs.cancel();
    co_await cove::test::settle();
    CHECK(!runs.done());
    calls.release(1);
    const auto ended = co_await runs.as_result();
    CHECK(ended.value() == 1);
  });
}

TEST_CASE("F11 a call is not made for a task that has been asked to end before") {
  run_in(small_pool(1), []() -> task<> {
    blocked_calls calls;
    cove::join_handle<int> late;
    const auto asked = [&late, &calls]() -> task<int> {
      late.cancel();
      const int passed = co_await pass(&calls, 1);
      co_return passed;
    };
    late = spawn(asked);
    const auto ended = co_await late.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(calls.begun() == 0);
  });
}

TEST_CASE("F11 a limit takes a call back that waits for its turn") {
  run_in(small_pool(1), []() -> task<> {
    blocked_calls calls;
    auto first = spawn(pass, &calls, 1);
    co_await calls.have_begun(1);
    auto limited = cove::with_timeout(blocking(&blocked_calls::pass, &calls, 2), 1ms);
    const std::error_code queued = co_await code_of(std::move(limited));
    CHECK(queued == cove::errc::deadline_exceeded);
    auto reported = cove::with_timeout(blocking(&blocked_calls::pass, &calls, 3).as_result(), 1ms);
    const auto told = co_await std::move(reported);
    CHECK(told.error() == cove::errc::deadline_exceeded);
    calls.release(1);
    static_cast<void>(co_await first);
  });
}

task<int> pass_within(blocked_calls* at, int number, clock::duration limit) {
  const int passed = co_await cove::with_timeout(pass(at, number), limit);
  co_return passed;
}

TEST_CASE("F11 a call outlasts a limit that passes after it has begun") {
  run_in(small_pool(1), []() -> task<> {
    blocked_calls calls;
    // On a busy machine a limit may pass before there is a thread; a longer one does not.
    for (clock::duration limit = 2ms;; limit *= 2) {
      const clock::time_point passes = clock::now() + limit;
      auto call = spawn(pass_within, &calls, 1, limit);
      const auto begun = [&calls, &call] { return calls.begun() == 1 || call.done(); };
      co_await eventually(begun);
      if (calls.begun() == 0) continue;
      const auto passed_by = [passes] { return clock::now() > passes + 2ms; };
      co_await eventually(passed_by);
      CHECK(!call.done());
      calls.release(1);
      const int passed = co_await call;
      CHECK(passed == 1);
      break;
    }
  });
}

TEST_CASE("a shield keeps a call in the queue when its task is asked to end") {
  run_in(small_pool(1), []() -> task<> {
    blocked_calls calls;
    auto first = spawn(pass, &calls, 1);
    co_await calls.have_begun(1);
    const auto shielded = [&calls]() -> task<int> {
      const int passed = co_await cove::shield(blocking(&blocked_calls::pass, &calls, 2));
      co_return passed;
    };
    auto second = spawn(shielded);
    co_await calls.are_queued(1);
    second.cancel();
    co_await cove::test::settle();
    CHECK(runtime::current()->stats().pool.user.queued == 1);
    calls.release(2);
    static_cast<void>(co_await first);
    const auto ended = co_await second.as_result();
    CHECK(ended.value() == 2);
  });
}

TEST_CASE("calls take part in when_all and race") {
  run_in(small_pool(2), []() -> task<> {
    auto [a, b] = co_await cove::when_all(blocking(add, 1, 1), blocking(add, 2, 2));
    CHECK(a == 2);
    CHECK(b == 4);

    blocked_calls calls;
    auto one = spawn(pass, &calls, 1);
    auto two = spawn(pass, &calls, 2);
    co_await calls.have_begun(2);
    // The pool is full, so the loser is taken back.
    auto ended = co_await cove::race(blocking(add, 3, 3), cove::this_task::sleep_for(1ms));
    CHECK(ended.index == 1);
    CHECK(!std::get<0>(ended.results).has_value());
    calls.release(2);
    static_cast<void>(co_await one);
    static_cast<void>(co_await two);
  });
}

TEST_CASE("F15 M04 a runtime takes back what is queued, reports what runs, and waits for it") {
  runtime in(small_pool(1));
  blocked_calls calls;
  auto runs = in.spawn(pass, &calls, 1);
  CHECK(cove::test::thread_waits_for([&] { return calls.begun() == 1; }));
  auto waits = in.spawn(pass, &calls, 2);
  CHECK(cove::test::thread_waits_for([&] { return in.stats().pool.user.queued == 1; }));
  CHECK(in.report().find("waits for blocking at blocking_test.cpp") != std::string::npos);
  CHECK(in.report().find("calls on lane user: 1 running, 1 queued") != std::string::npos);
  CHECK(!in.stop(1ms));
  CHECK(cove::test::thread_waits_for([&] { return waits.done(); }));
  CHECK(in.report().find("calls on lane user: 1 running, 0 queued") != std::string::npos);
  calls.release(1);
  CHECK(in.stop(cove::test::patience));
  CHECK(in.wait(std::move(runs)) == 1);
  CHECK(calls.begun() == 1);
  CHECK(in.report().empty());
}

TEST_CASE("F15 destroying a runtime waits for a call that has begun") {
  blocked_calls calls;
  std::thread releases([&calls] {
    CHECK(cove::test::thread_waits_for([&] { return calls.begun() == 1; }));
    calls.release(1);
  });
  {
    runtime in(small_pool(1));
    static_cast<void>(in.spawn(pass, &calls, 1));
    CHECK(cove::test::thread_waits_for([&] { return calls.begun() == 1; }));
  }
  releases.join();
  CHECK(calls.ended() == 1);
}

TEST_CASE("M07 runtimes come and go with the threads of their pools") {
  const std::size_t threads = cove::test::entries_of("/proc/self/task");
  for (int i = 0; i < 200; ++i) {
    runtime in(plain_options(1));
    CHECK(in.block_on([]() -> task<int> { co_return co_await blocking(add, 1, 1); }) == 2);
  }
  CHECK(cove::test::thread_waits_for(
      [threads] { return cove::test::entries_of("/proc/self/task") <= threads; }));
}

TEST_CASE("virtual time stands while a call is out, and a limit does not pass") {
  const auto took = cove::test::run([]() -> task<clock::duration> {
    const clock::time_point start = clock::now();
    const auto slow = [] {
      std::this_thread::sleep_for(20ms);  // tidy: allow (the call takes real time)
      return 1;
    };
    const int passed = co_await cove::with_timeout(blocking(slow), 1ms);
    CHECK(passed == 1);
    co_return clock::now() - start;
  });
  CHECK(took == 0ns);
}

TEST_CASE("virtual time goes on when a call was taken back") {
  cove::test::run_options options;
  options.runtime.pool.user.threads_max = 1;
  cove::test::run_with(options, []() -> task<> {
    blocked_calls calls;
    auto runs = spawn(pass, &calls, 1);
    co_await calls.have_begun(1);
    auto waits = spawn(pass, &calls, 2);
    co_await calls.are_queued(1);
    waits.cancel();
    const auto ended = co_await waits.as_result();
    CHECK(!ended.has_value());
    calls.release(1);
    static_cast<void>(co_await runs);
    const clock::time_point start = clock::now();
    co_await cove::this_task::sleep_for(24h);
    CHECK(clock::now() - start == 24h);
  });
}

TEST_CASE("a number of threads that makes no sense is refused") {
  cove::runtime_options options;
  options.pool.user.threads_max = 1025;
  std::string text;
  try {
    runtime in(options);
  } catch (const cove::error& e) {
    text = e.what();
  }
  CHECK(text.find("runtime_options::pool.user.threads_max = 1025") != std::string::npos);
}

}  // namespace
