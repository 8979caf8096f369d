#include <cove/runtime/once.hpp>

#include "support/runtime_test.hpp"

#include <stdexcept>
#include <vector>

namespace {

using cove::event;
using cove::join_handle;
using cove::once;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

/// A job that waits to be told, and counts how often it began and ended.
struct job {
  once done;
  event go_on;
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
};

task<> run_job(job* which) {
  ++which->begun;
  co_await which->go_on.wait();
  ++which->ended;
}

task<> call(job* which) {
  const auto attempt = [which] { return run_job(which); };
  co_await which->done.run(attempt);
  CHECK(which->ended == 1);
}

TEST_CASE("the first to come runs it, the others wait until it is done") {
  run_in(plain_options(1), []() -> task<> {
    job one;
    std::vector<join_handle<>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(spawn(call, &one));
    co_await cove::this_task::yield();
    CHECK(one.begun == 1);
    CHECK(!one.done.done());
    one.go_on.set();
    for (auto& each : tasks) co_await each;
    CHECK(one.begun == 1);
    CHECK(one.done.done());
    co_await call(&one);
    CHECK(one.begun == 1);
  });
}

TEST_CASE("K17 if the one who runs it is cancelled, the next one who waits tries") {
  run_in(plain_options(1), []() -> task<> {
    job one;
    auto first = spawn(call, &one);
    co_await cove::this_task::yield();
    auto second = spawn(call, &one);
    auto third = spawn(call, &one);
    co_await cove::this_task::yield();
    third.cancel();  // It waits, and leaves.
    static_cast<void>(co_await third.as_result());
    CHECK(one.begun == 1);
    first.cancel();
    auto ended = co_await first.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    co_await cove::this_task::yield();
    CHECK(one.begun == 2);
    one.go_on.set();
    co_await second;
    CHECK(one.ended == 1);
  });
}

task<> fail_at_first(int* attempts) {
  if (++*attempts == 1) throw std::runtime_error("not yet");
  co_return;
}

TEST_CASE("a failure goes to the one who ran it, and it may be tried again") {
  run_in(plain_options(1), []() -> task<> {
    once done;
    int attempts = 0;
    const auto attempt = [&attempts] { return fail_at_first(&attempts); };
    bool failed = false;
    try {
      co_await done.run(attempt);
    } catch (const std::runtime_error&) {
      failed = true;
    }
    CHECK(failed);
    CHECK(!done.done());
    co_await done.run(attempt);
    CHECK(done.done());
    CHECK(attempts == 2);
  });
}

TEST_CASE("a limit around run ends the wait for another's attempt") {
  run_in(plain_options(1), []() -> task<> {
    job one;
    auto first = spawn(call, &one);
    co_await cove::this_task::yield();
    bool timed_out = false;
    try {
      co_await cove::with_timeout(call(&one), std::chrono::milliseconds(1));
    } catch (const std::system_error& e) {
      timed_out = e.code() == std::errc::timed_out;
    }
    CHECK(timed_out);
    one.go_on.set();
    co_await first;
    CHECK(one.begun == 1);
  });
}

/// What is made once, without a lock of its own.
struct made {
  once done;
  int value = 0;
};

task<> make_slowly(made* what) {
  co_await cove::this_task::yield();
  co_await cove::this_task::yield();
  ++what->value;
}

task<> use(made* what) {
  const auto make = [what] { return make_slowly(what); };
  co_await what->done.run(make);
  CHECK(what->value == 1);
}

TEST_CASE("K17 it is done once on any number of workers, whoever is cancelled meanwhile") {
  run_in(plain_options(4), []() -> task<> {
    for (int round = 0; round < 200; ++round) {
      made what;
      std::vector<join_handle<>> tasks;
      for (int i = 0; i < 8; ++i) tasks.push_back(spawn(use, &what));
      for (std::size_t i = 0; i < 4; ++i) tasks[i].cancel();
      for (auto& each : tasks) static_cast<void>(co_await each.as_result());
      CHECK(what.value == 1);
    }
  });
}

}  // namespace
