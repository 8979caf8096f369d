#include <cove/runtime/supervisor.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "support/runtime_test.hpp"

namespace {

using cove::join_handle;
using cove::result;
using cove::supervisor;
using cove::task;
using cove::task_failure;
using cove::with_supervisor;
using cove::test::eventually;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""ms;

task<> fail_now(std::string why) {
  throw std::runtime_error(why);
  co_return;
}
task<> fail_when(const std::atomic<bool>& go) {
  co_await eventually(go);
  throw std::runtime_error("expected");
}
task<> wait_for(const std::atomic<bool>& go, std::atomic<int>& ended) {
  co_await eventually(go);
  ++ended;
}
task<> sleeper(std::atomic<int>& begun, std::atomic<int>& canceled) {
  ++begun;
  try {
    co_await forever();
  } catch (const cove::canceled&) {
    ++canceled;
    throw;
  }
}

/// What a handler was told. Shared, because it may be told something after its supervisor ended.
struct told {
  std::atomic<int> failures{0};
  std::atomic<bool> right{true};
  std::atomic<std::uint64_t> last_id{0};
};
auto handler_for(std::shared_ptr<told> to) {
  return [to = std::move(to)](const task_failure& failure) {
    try {
      std::rethrow_exception(failure.exception);
    } catch (const std::exception& e) {
      if (e.what() != std::string("expected")) to->right = false;
    } catch (...) {
      to->right = false;
    }
    if (failure.name.empty() || failure.place.line() == 0 || failure.id == 0) to->right = false;
    to->last_id = failure.id;
    ++to->failures;
  };
}

TEST_CASE("a supervisor ends when its body and all its jobs have ended") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> go{false};
    std::atomic<int> ended{0};
    auto body = [&](supervisor& jobs) -> task<int> {
      for (int i = 0; i < 20; ++i) jobs.spawn(wait_for, std::ref(go), std::ref(ended));
      go = true;
      co_return 5;
    };
    const int got = co_await with_supervisor(body);
    CHECK(got == 5);
    CHECK(ended == 20);
  });
}

TEST_CASE("a job that fails ends alone, and its handler hears of it") {
  const auto heard = std::make_shared<told>();
  run_in(plain_options(), [heard]() -> task<> {
    std::atomic<bool> go{false};
    std::atomic<int> ended{0};
    auto body = [&](supervisor& jobs) -> task<> {
      jobs.spawn(wait_for, std::ref(go), std::ref(ended));
      for (int i = 0; i < 10; ++i) jobs.spawn(fail_now, "expected");
      jobs.spawn(wait_for, std::ref(go), std::ref(ended));
      co_await eventually([&] { return heard->failures == 10; });
      CHECK(ended == 0);
      go = true;
    };
    auto handler = handler_for(heard);
    co_await with_supervisor(std::move(body), std::move(handler));
    CHECK(ended == 2);
  });
  CHECK(heard->failures == 10);
  CHECK(heard->right);
}

TEST_CASE("without a handler a failure is logged and nothing else happens") {
  run_in(plain_options(), []() -> task<> {
    auto body = [](supervisor& jobs) -> task<> {
      jobs.spawn(fail_now, "expected, for the log");
      co_return;
    };
    co_await with_supervisor(body);
  });
}

TEST_CASE("M08 a failure goes to who joins the job, and to nobody else") {
  const auto heard = std::make_shared<told>();
  run_in(plain_options(), [heard]() -> task<> {
    auto body = [](supervisor& jobs) -> task<> {
      join_handle<> job = jobs.spawn(fail_now, "expected");
      std::string why;
      try {
        co_await job;
      } catch (const std::runtime_error& e) {
        why = e.what();
      }
      CHECK(why == "expected");
    };
    auto handler = handler_for(heard);
    co_await with_supervisor(body, std::move(handler));
  });
  CHECK(heard->failures == 0);
}

TEST_CASE("the handler hears of a failure whose handle is dropped") {
  const auto heard = std::make_shared<told>();
  run_in(plain_options(), [heard]() -> task<> {
    auto body = [&heard](supervisor& jobs) -> task<> {
      std::atomic<bool> go{false};
      {
        // Before it fails.
        const join_handle<> dropped = jobs.spawn(fail_when, std::ref(go));
      }
      CHECK(heard->failures == 0);
      go = true;
      co_await eventually([&] { return heard->failures == 1; });
      {
        // After it failed.
        const join_handle<> dropped = jobs.spawn(fail_now, "expected");
        co_await eventually([&] { return dropped.done(); });
        CHECK(heard->failures == 1);
      }
      CHECK(heard->failures == 2);
    };
    auto handler = handler_for(heard);
    co_await with_supervisor(std::move(body), std::move(handler));
  });
  CHECK(heard->failures == 2);
  CHECK(heard->right);
}

TEST_CASE("the handler hears of a failure whose handle outlives the supervisor") {
  const auto heard = std::make_shared<told>();
  std::uint64_t id = 0;
  {
    join_handle<> kept;
    run_in(plain_options(), [&]() -> task<> {
      auto body = [&](supervisor& jobs) -> task<> {
        kept = jobs.spawn(fail_now, "expected");
        id = kept.id();
        co_return;
      };
      auto handler = handler_for(heard);
      co_await with_supervisor(body, std::move(handler));
    });
    CHECK(heard->failures == 0);
  }
  CHECK(heard->failures == 1);
  CHECK(heard->last_id == id);
  CHECK(heard->right);
  CHECK(heard.use_count() == 1);
}

TEST_CASE("every failure is heard once, while handles are dropped at the moment of the failure") {
  constexpr int rounds = 2000;
  const auto heard = std::make_shared<told>();
  run_in(plain_options(), [heard]() -> task<> {
    auto body = [](supervisor& jobs) -> task<> {
      for (int i = 0; i < rounds; ++i) {
        join_handle<> job = jobs.spawn(fail_now, "expected");
        if (i % 2 == 0) co_await cove::this_task::yield();
      }
    };
    auto handler = handler_for(heard);
    co_await with_supervisor(body, std::move(handler));
  });
  CHECK(heard->failures == rounds);
  CHECK(heard->right);
}

TEST_CASE("a job that is cancelled has not failed") {
  const auto heard = std::make_shared<told>();
  run_in(plain_options(), [heard]() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    auto body = [&](supervisor& jobs) -> task<> {
      join_handle<> one = jobs.spawn(sleeper, std::ref(begun), std::ref(canceled));
      jobs.spawn(sleeper, std::ref(begun), std::ref(canceled));
      co_await eventually([&] { return begun == 2; });
      one.cancel();
      co_await eventually([&] { return canceled == 1; });
      jobs.cancel();
    };
    auto handler = handler_for(heard);
    co_await with_supervisor(body, std::move(handler));
    CHECK(canceled == 2);
  });
  CHECK(heard->failures == 0);
}

TEST_CASE("a supervisor does not mind a job that was cancelled by its handle") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    auto body = [&](supervisor& jobs) -> task<int> {
      join_handle<> job = jobs.spawn(sleeper, std::ref(begun), std::ref(canceled));
      co_await eventually([&] { return begun == 1; });
      job.cancel();
      co_return 7;
    };
    const int got = co_await with_supervisor(body);
    CHECK(got == 7);
    CHECK(canceled == 1);
  });
}

TEST_CASE("a failure of the body cancels the jobs and is thrown") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    auto body = [&](supervisor& jobs) -> task<> {
      for (int i = 0; i < 5; ++i) jobs.spawn(sleeper, std::ref(begun), std::ref(canceled));
      co_await eventually([&] { return begun == 5; });
      throw std::runtime_error("body");
    };
    std::string why;
    try {
      co_await with_supervisor(body);
    } catch (const std::runtime_error& e) {
      why = e.what();
    }
    CHECK(why == "body");
    CHECK(canceled == 5);
  });
}

TEST_CASE("a request from outside ends the supervisor and its jobs") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    const auto service = [&]() -> task<> {
      auto body = [&](supervisor& jobs) -> task<> {
        for (int i = 0; i < 5; ++i) jobs.spawn(sleeper, std::ref(begun), std::ref(canceled));
        co_return;
      };
      co_await with_supervisor(body);
    };
    join_handle<> running = cove::spawn(service);
    co_await eventually([&] { return begun == 5; });
    running.cancel();
    const result<void> ended = co_await running.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(canceled == 5);
  });
}

TEST_CASE(
    "a supervisor inside a scope keeps failures from it, a scope inside a supervisor does not") {
  const auto heard = std::make_shared<told>();
  run_in(plain_options(), [heard]() -> task<> {
    std::atomic<int> ended{0};
    std::atomic<bool> go{false};
    const auto service = [&heard](std::atomic<bool>& flag) -> task<> {
      auto body = [](supervisor& jobs) -> task<> {
        jobs.spawn(fail_now, "expected");
        co_return;
      };
      auto handler = handler_for(heard);
      co_await with_supervisor(body, std::move(handler));
      flag = true;
    };
    auto outer = [&](cove::scope& parts) -> task<> {
      parts.spawn(service, std::ref(go));
      parts.spawn(wait_for, std::ref(go), std::ref(ended));
      co_return;
    };
    co_await cove::with_scope(outer);
    CHECK(ended == 1);
    CHECK(heard->failures == 1);

    const auto job = []() -> task<> {
      auto body = [](cove::scope& parts) -> task<> {
        parts.spawn(fail_now, "expected");
        co_return;
      };
      co_await cove::with_scope(body);
    };
    auto all = [&](supervisor& jobs) -> task<> {
      jobs.spawn(job);
      co_return;
    };
    auto handler = handler_for(heard);
    co_await with_supervisor(all, std::move(handler));
    CHECK(heard->failures == 2);
  });
}

TEST_CASE("jobs inherit the deadline from where the supervisor stands") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> late{0};
    const auto job = [](std::atomic<int>& count) -> task<> {
      const result<void> slept = co_await forever().as_result();
      if (slept.error() == cove::errc::deadline_exceeded) ++count;
    };
    auto body = [&](supervisor& jobs) -> task<> {
      for (int i = 0; i < 5; ++i) jobs.spawn(job, std::ref(late));
      co_return;
    };
    // The jobs swallow what they were told, and the body was done before.
    const result<void> done = co_await cove::with_timeout(with_supervisor(body), 20ms).as_result();
    CHECK(done.has_value());
    CHECK(late == 5);
  });
}

}  // namespace
