#include <cove/runtime/task_inherited.hpp>

#include <cove/runtime/task_local.hpp>

#include "support/runtime_test.hpp"

namespace {

using cove::runtime;
using cove::task;
using cove::task_inherited;
using cove::test::eventually;
using cove::test::plain_options;
using cove::test::run_in;

task_inherited<int> request;
task_inherited<std::string> user;
cove::task_local<int> own;

int request_here() {
  const int* value = request.get();
  return value != nullptr ? *value : 0;
}
task<int> request_later() {
  co_await cove::this_task::yield();
  co_return request_here();
}
/// As the child of a child.
task<int> request_of_grandchild() { co_return co_await cove::spawn(request_later); }

TEST_CASE("every task that is spawned inside begins with the value") {
  run_in(plain_options(2), []() -> task<> {
    CHECK(request.get() == nullptr);
    const auto inside = []() -> task<> {
      CHECK(request_here() == 7);
      const int awaited = co_await request_later();
      CHECK(awaited == 7);
      const int spawned = co_await cove::spawn(request_of_grandchild);
      CHECK(spawned == 7);
      const auto body = [](auto& parts) -> task<> {
        const int part = co_await parts.spawn(request_of_grandchild);
        CHECK(part == 7);
      };
      co_await cove::with_scope([&](cove::scope& parts) -> task<> { co_await body(parts); });
      co_await cove::with_supervisor([&](cove::supervisor& all) -> task<> { co_await body(all); });
      auto [one, two] = co_await cove::when_all(request_later(), request_of_grandchild());
      CHECK(one == 7);
      CHECK(two == 7);
      const int shielded = co_await cove::shield(cove::spawn(request_later));
      CHECK(shielded == 7);
    };
    co_await request.with(7, inside());
    const int outside = co_await cove::spawn(request_later);
    CHECK(outside == 0);
  });
}

TEST_CASE("what counts is where spawn is called, not where the scope stands") {
  run_in(plain_options(1), []() -> task<> {
    const auto body = [](cove::scope& parts) -> task<> {
      const auto inner = [&parts]() -> task<int> { co_return co_await parts.spawn(request_later); };
      const int near = co_await request.with(2, inner());
      const int far = co_await inner();
      CHECK(near == 2);
      CHECK(far == 1);
    };
    co_await request.with(1, cove::with_scope(body));
  });
}

TEST_CASE("values of several variables and of locals nest") {
  run_in(plain_options(1), []() -> task<> {
    const auto child = []() -> task<> {
      CHECK(request_here() == 2);
      CHECK(*user.get() == "ann");
      CHECK(own.get() == nullptr);
      const int deeper = co_await own.with(9, request.with(3, cove::spawn(request_later)));
      CHECK(deeper == 2);  // It was spawned before.
      const auto inside = []() -> task<int> {
        CHECK(*own.get() == 9);
        CHECK(*user.get() == "ann");
        co_return co_await cove::spawn(request_later);
      };
      const int nested = co_await request.with(3, own.with(9, inside()));
      CHECK(nested == 3);
      CHECK(own.get() == nullptr);
    };
    const auto spawns = [child]() -> task<> {
      CHECK(*own.get() == 5);
      co_await cove::spawn(child);
    };
    co_await request.with(1, own.with(5, user.with("ann", request.with(2, spawns()))));
  });
}

struct watched {
  explicit watched(std::atomic<int>* count) noexcept : gone(count) {}
  watched(watched&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
  watched& operator=(watched&&) = delete;
  ~watched() {
    if (gone != nullptr) ++*gone;
  }
  std::atomic<int>* gone;
};
task_inherited<watched> guarded;

TEST_CASE("a value lives as long as the last task that began with it") {
  run_in(plain_options(2), []() -> task<> {
    std::atomic<int> gone{0};
    cove::event go_on;
    const auto waits = [&]() -> task<> {
      co_await go_on.wait();
      CHECK(guarded.get() != nullptr);
      CHECK(gone == 0);
    };
    const auto detaches = [&]() -> task<cove::join_handle<>> { co_return cove::spawn(waits); };
    auto left_behind = co_await guarded.with(watched(&gone), detaches());
    CHECK(gone == 0);
    CHECK(guarded.get() == nullptr);
    go_on.set();
    co_await left_behind;
    CHECK(gone == 1);
    const auto nothing = []() -> task<> { co_return; };
    co_await guarded.with(watched(&gone), nothing());
    CHECK(gone == 2);
  });
}

TEST_CASE("a task that never begins lets its values go") {
  run_in(plain_options(1), []() -> task<> {
    std::atomic<int> gone{0};
    const auto cancels = []() -> task<> {
      auto never = cove::spawn(request_later);
      never.cancel();
      const auto ended = co_await never.as_result();
      CHECK_FALSE(ended);
    };
    co_await guarded.with(watched(&gone), cancels());
    CHECK(gone == 1);
  });
}

TEST_CASE("tasks of another runtime inherit, those that a thread spawns do not") {
  run_in(plain_options(1), [](runtime& other) {
    run_in(plain_options(1), [&other]() -> task<> {
      const auto elsewhere = [&other]() -> task<> {
        std::atomic<int> seen{-1};
        auto away = other.spawn([&seen]() -> task<> {
          seen = request_here();
          co_return;
        });
        const auto arrived = [&seen] { return seen >= 0; };
        co_await eventually(arrived);
        CHECK(seen == 8);
        co_await away;
      };
      co_await request.with(8, elsewhere());
    });
    CHECK(other.block_on(request_later) == 0);
  });
}

/// A tree of tasks, each with values of its own.
task<int> grow(int depth) {
  const int mine = request_here();
  if (depth == 0) co_return mine == 0 ? 0 : 1;
  const auto both = [depth]() -> task<int> {
    auto left = cove::spawn(grow, depth - 1);
    auto right = cove::spawn(grow, depth - 1);
    const int sum = co_await left;
    co_return sum + co_await right;
  };
  const int sum = co_await request.with(mine + 1, guarded.with(watched(nullptr), both()));
  co_return request_here() == mine ? sum : 0;
}

TEST_CASE("many tasks on several workers share and drop values") {
  run_in(plain_options(4), []() -> task<> {
    const int leaves = co_await grow(10);
    CHECK(leaves == 1024);
  });
}

}  // namespace
