#include <cove/runtime/scope.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/runtime_test.hpp"

namespace {

using cove::join_handle;
using cove::result;
using cove::scope;
using cove::task;
using cove::with_scope;
using cove::test::eventually;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

task<int> number(int n) {
  co_await cove::this_task::yield();
  co_return n;
}
task<> fail_now(std::string why) {
  throw std::runtime_error(why);
  co_return;
}
task<> fail_when(const std::atomic<bool>& go, std::string why) {
  co_await eventually(go);
  throw std::runtime_error(why);
}
/// Counts itself in, sleeps, and counts how it ended.
task<> sleeper(std::atomic<int>& begun, std::atomic<int>& canceled) {
  ++begun;
  try {
    co_await forever();
  } catch (const cove::canceled&) {
    ++canceled;
    throw;
  }
}
task<> add(std::atomic<int>& to, int n) {
  for (int i = 0; i < 3; ++i) co_await cove::this_task::yield();
  to += n;
}

/// What a scope ended with, as text.
template <class F>
task<std::string> outcome_of(F body) {
  auto whole = with_scope(std::move(body));
  co_return co_await cove::test::outcome_of(std::move(whole));
}

// ----- waiting -----

TEST_CASE("a scope ends when its body and all its parts have ended") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> sum{0};
    auto body = [&sum](scope& parts) -> task<> {
      for (int i = 1; i <= 100; ++i) parts.spawn(add, std::ref(sum), i);
      co_return;
    };
    co_await with_scope(body);
    CHECK(sum == 5050);
  });
}

TEST_CASE("a scope gives what its body gives") {
  run_in(plain_options(), []() -> task<> {
    auto body = [](scope& parts) -> task<std::unique_ptr<int>> {
      join_handle<int> part = parts.spawn(number, 20);
      const int got = co_await part;
      co_return std::make_unique<int>(got + 1);
    };
    const std::unique_ptr<int> answer = co_await with_scope(body);
    CHECK(*answer == 21);
    int thing = 0;
    auto refer = [&thing](scope&) -> task<int&> { co_return thing; };
    int& same = co_await with_scope(refer);
    CHECK(&same == &thing);
    const result<int> code =
        co_await with_scope([](scope&) -> task<int> { co_return 3; }).as_result();
    CHECK(code.value_or(0) == 3);
  });
}

TEST_CASE("a part may spawn further parts, also after the body has ended") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> count{0};
    const auto chain = [](auto self, scope& parts, std::atomic<int>& n, int left) -> task<> {
      ++n;
      for (int i = 0; i < 3; ++i) co_await cove::this_task::yield();
      if (left > 0) {
        parts.spawn(self, self, std::ref(parts), std::ref(n), left - 1);
        parts.spawn(self, self, std::ref(parts), std::ref(n), left - 1);
      }
    };
    auto body = [&](scope& parts) -> task<> {
      parts.spawn(chain, chain, std::ref(parts), std::ref(count), 7);
      co_return;
    };
    co_await with_scope(body);
    CHECK(count == 255);
  });
}

TEST_CASE("what parts refer to in the body's surroundings lives until they have ended") {
  run_in(plain_options(), []() -> task<> {
    for (int round = 0; round < 200; ++round) {
      auto body = [](scope& parts) -> task<> {
        for (int i = 0; i < 8; ++i) parts.spawn(number, i);
        co_return;
      };
      co_await with_scope(body);
    }
  });
}

// ----- failing -----

TEST_CASE("the first failure cancels the siblings and is thrown where the scope is awaited") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    std::atomic<bool> go{false};
    auto body = [&](scope& parts) -> task<> {
      for (int i = 0; i < 10; ++i) parts.spawn(sleeper, std::ref(begun), std::ref(canceled));
      parts.spawn(fail_when, std::ref(go), "expected");
      co_await eventually([&] { return begun == 10; });
      go = true;
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "expected");
    CHECK(canceled == 10);
  });
}

TEST_CASE("the failure of a part cancels the body") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    auto body = [&](scope& parts) -> task<> {
      parts.spawn(fail_now, "expected");
      co_await sleeper(begun, canceled);
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "expected");
    CHECK(canceled == 1);
  });
}

TEST_CASE("the failure of the body cancels the parts and is thrown") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    auto body = [&](scope& parts) -> task<> {
      for (int i = 0; i < 10; ++i) parts.spawn(sleeper, std::ref(begun), std::ref(canceled));
      co_await eventually([&] { return begun == 10; });
      throw std::runtime_error("body");
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "body");
    CHECK(canceled == 10);
  });
}

TEST_CASE("of several failures one is thrown, and all parts have ended") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    auto body = [&](scope& parts) -> task<> {
      for (int i = 0; i < 20; ++i) parts.spawn(fail_now, "expected");
      for (int i = 0; i < 20; ++i) parts.spawn(sleeper, std::ref(begun), std::ref(canceled));
      co_return;
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "expected");
    CHECK(begun == canceled);
  });
}

TEST_CASE("a failure fails the scope although it was joined") {
  run_in(plain_options(), []() -> task<> {
    auto body = [](scope& parts) -> task<> {
      join_handle<> part = parts.spawn(fail_now, "expected");
      try {
        co_await part;
      } catch (const std::exception&) {
        // Its failure; or canceled, for the scope's request may be here before the part's end is.
      }
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "expected");
  });
}

TEST_CASE("the failure of a part of an inner scope is the inner scope's until it leaves it") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> sum{0};
    auto inner = [](scope& parts) -> task<> {
      parts.spawn(fail_now, "inner");
      co_await forever();
    };
    auto outer = [&](scope& parts) -> task<> {
      parts.spawn(add, std::ref(sum), 1);
      const std::string how = co_await outcome_of(inner);
      CHECK(how == "inner");
      parts.spawn(add, std::ref(sum), 2);
    };
    const std::string how = co_await outcome_of(outer);
    CHECK(how == "done");
    CHECK(sum == 3);
    auto passing = [&](scope& parts) -> task<> {
      parts.spawn(sleeper, std::ref(sum), std::ref(sum));
      co_await with_scope(inner);
    };
    const std::string passed = co_await outcome_of(passing);
    CHECK(passed == "inner");
  });
}

TEST_CASE("a canceled that nobody asked for is a failure like any other") {
  run_in(plain_options(), []() -> task<> {
    join_handle<> elsewhere = cove::spawn(forever);
    elsewhere.cancel();
    std::atomic<int> begun{0}, canceled{0};
    auto body = [&](scope& parts) -> task<> {
      parts.spawn(sleeper, std::ref(begun), std::ref(canceled));
      co_await eventually([&] { return begun == 1; });
      co_await elsewhere;
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "canceled");
    CHECK(canceled == 1);

    join_handle<> another = cove::spawn(forever);
    another.cancel();
    const auto joining = [](join_handle<>& handle) -> task<> { co_await handle; };
    auto with_part = [&](scope& parts) -> task<> {
      parts.spawn(joining, std::ref(another));
      co_await sleeper(begun, canceled);
    };
    const std::string parts_failed = co_await outcome_of(with_part);
    CHECK(parts_failed == "canceled");
    CHECK(canceled == 2);
  });
}

// ----- being cancelled -----

TEST_CASE("scope.cancel() ends everything in it, and is no failure") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    auto body = [&](scope& parts) -> task<> {
      for (int i = 0; i < 10; ++i) parts.spawn(sleeper, std::ref(begun), std::ref(canceled));
      co_await eventually([&] { return begun == 10; });
      parts.cancel();
    };
    const std::string from_body = co_await outcome_of(body);
    CHECK(from_body == "done");
    CHECK(canceled == 10);

    const auto canceller = [](scope& parts) -> task<> {
      parts.cancel();
      co_return;
    };
    auto sleeping = [&](scope& parts) -> task<> {
      parts.spawn(canceller, std::ref(parts));
      co_await sleeper(begun, canceled);
    };
    const std::string from_part = co_await outcome_of(sleeping);
    CHECK(from_part == "done");
    CHECK(canceled == 11);
    // The request was the scope's: behind it everything goes on.
    const int after = co_await number(1);
    CHECK(after == 1);
  });
}

TEST_CASE("a part that is cancelled by its handle is no failure") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0}, sum{0};
    auto body = [&](scope& parts) -> task<> {
      join_handle<> part = parts.spawn(sleeper, std::ref(begun), std::ref(canceled));
      parts.spawn(add, std::ref(sum), 1);
      co_await eventually([&] { return begun == 1; });
      part.cancel();
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "done");
    CHECK(canceled == 1);
    CHECK(sum == 1);
  });
}

TEST_CASE("a request from outside passes to the body and all parts, however deep") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0};
    const auto nest = [&](auto self, int depth) -> task<> {
      auto body = [&, depth](scope& parts) -> task<> {
        parts.spawn(sleeper, std::ref(begun), std::ref(canceled));
        if (depth > 0) {
          parts.spawn(self, self, depth - 1);
          co_await self(self, depth - 1);
        }
      };
      co_await with_scope(body);
    };
    join_handle<> top = cove::spawn(nest, nest, 5);
    // Two of each depth below the one before: 1 + 2 + ... + 32.
    co_await eventually([&] { return begun == 63; });
    top.cancel();
    const result<void> ended = co_await top.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(canceled == 63);
  });
}

TEST_CASE("a deadline around a scope ends its parts, and names itself") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> begun{0}, canceled{0}, late{0};
    const auto part = [](std::atomic<int>& ends) -> task<> {
      const result<void> slept = co_await forever().as_result();
      if (slept.error() == cove::errc::deadline_exceeded) ++ends;
    };
    auto body = [&](scope& parts) -> task<> {
      for (int i = 0; i < 10; ++i) parts.spawn(part, std::ref(late));
      co_await sleeper(begun, canceled);
    };
    std::error_code code;
    try {
      co_await cove::with_timeout(with_scope(body), 20ms);
    } catch (const std::system_error& e) {
      code = e.code();
    }
    CHECK(code == cove::errc::deadline_exceeded);
    CHECK(late == 10);
  });
}

TEST_CASE(
    "parts inherit the deadline from where the scope stands, not from where spawn is called") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> go{false};
    std::atomic<int> ended_well{0};
    const auto part = [](std::atomic<bool>& flag, std::atomic<int>& well) -> task<> {
      co_await eventually(flag);
      ++well;
    };
    auto body = [&](scope& parts) -> task<> {
      const auto inside = [&]() -> task<> {
        parts.spawn(part, std::ref(go), std::ref(ended_well));
        co_await forever();
      };
      const result<void> limited = co_await cove::with_timeout(inside(), 5ms).as_result();
      CHECK(limited.error() == cove::errc::deadline_exceeded);
      go = true;
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "done");
    CHECK(ended_well == 1);
  });
}

TEST_CASE("K20 a part that is spawned into a cancelled scope never runs") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<int> ran{0};
    const auto job = [](std::atomic<int>& count) -> task<> {
      ++count;
      co_return;
    };
    auto body = [&](scope& parts) -> task<> {
      parts.cancel();
      for (int i = 0; i < 10; ++i) {
        join_handle<> handle = parts.spawn(job, std::ref(ran));
        CHECK(handle.id() != 0);
      }
      co_return;
    };
    const std::string how = co_await outcome_of(body);
    CHECK(how == "done");
    CHECK(ran == 0);
  });
}

TEST_CASE("the end of the runtime ends scopes from the outside") {
  std::atomic<int> begun{0}, canceled{0};
  std::string how;
  run_in(plain_options(), [&](cove::runtime& in) {
    in.spawn([&]() -> task<> {
      auto body = [&](scope& parts) -> task<> {
        for (int i = 0; i < 10; ++i) parts.spawn(sleeper, std::ref(begun), std::ref(canceled));
        co_return;
      };
      how = co_await outcome_of(body);
    });
    CHECK(cove::test::thread_waits_for([&] { return begun == 10; }));
    CHECK(in.stop(10s));
  });
  CHECK(how == "canceled");
  CHECK(canceled == 10);
}

}  // namespace
