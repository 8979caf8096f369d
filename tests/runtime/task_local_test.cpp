#include <cove/runtime/task_local.hpp>

#include "support/runtime_test.hpp"

namespace {

using cove::task;
using cove::task_local;
using cove::test::outcome_of;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""us;

task_local<int> level;
task_local<std::string> label;

/// Its value, 0 if there is none.
int level_here() {
  const int* value = level.get();
  return value != nullptr ? *value : 0;
}
task<int> level_later() {
  co_await cove::this_task::yield();
  co_return level_here();
}

TEST_CASE("a value is seen inside of the await that it was given for, the innermost first") {
  run_in(plain_options(1), []() -> task<> {
    CHECK(level.get() == nullptr);
    const auto inside = []() -> task<> {
      CHECK(level_here() == 1);
      const int deeper = co_await level.with(2, level_later());
      CHECK(deeper == 2);
      CHECK(level_here() == 1);
      ++*level.get();
      const int changed = co_await level_later();
      CHECK(changed == 2);
      CHECK(label.get() == nullptr);
    };
    co_await level.with(1, inside());
    CHECK(level.get() == nullptr);
  });
}

TEST_CASE("variables do not see one another") {
  run_in(plain_options(1), []() -> task<> {
    const auto inside = []() -> task<> {
      CHECK(level_here() == 4);
      CHECK(*label.get() == "four");
      co_return;
    };
    co_await level.with(4, label.with("four", inside()));
  });
}

TEST_CASE("outside of a task there is no value") { CHECK(level.get() == nullptr); }

TEST_CASE("a value goes with its task from worker to worker, and is not seen by others") {
  run_in(plain_options(4), []() -> task<> {
    std::atomic<int> wrong{0};
    const auto job = [&wrong](int mine) -> task<> {
      const auto inside = [&wrong, mine]() -> task<> {
        for (int i = 0; i < 200; ++i) {
          co_await cove::this_task::yield();
          if (level_here() != mine) ++wrong;
        }
      };
      co_await level.with(mine, inside());
      if (level.get() != nullptr) ++wrong;
    };
    std::vector<cove::join_handle<>> jobs;
    for (int i = 1; i <= 20; ++i) jobs.push_back(cove::spawn(job, i));
    for (auto& each : jobs) co_await each;
    CHECK(wrong == 0);
  });
}

TEST_CASE("a shield and a limit are inside of the same value, a spawned task is not") {
  run_in(plain_options(1), []() -> task<> {
    const auto inside = []() -> task<> {
      const int shielded = co_await cove::shield(level_later());
      CHECK(shielded == 3);
      const int limited = co_await cove::with_timeout(level_later(), std::chrono::hours(1));
      CHECK(limited == 3);
      const int spawned = co_await cove::spawn(level_later);
      CHECK(spawned == 0);
      const auto body = [](cove::scope& parts) -> task<> {
        CHECK(level_here() == 3);
        const int part = co_await parts.spawn(level_later);
        CHECK(part == 0);
      };
      co_await cove::with_scope(body);
    };
    co_await level.with(3, inside());
  });
}

cove::generator<int> levels() {
  for (;;) {
    int here = co_await level_later();
    co_yield here;
    here = co_await level.with(100, level_later());
    co_yield here;
  }
}

TEST_CASE("a generator sees the values of whoever asks, and leaves none behind") {
  run_in(plain_options(1), []() -> task<> {
    auto items = levels();
    const auto next = [&items]() -> task<int> {
      const int* item = co_await items.next();
      CHECK(level_here() != 100);
      co_return *item;
    };
    const int first = co_await level.with(1, next());
    const int second = co_await level.with(2, next());
    const int third = co_await level.with(3, next());
    CHECK(first == 1);
    CHECK(second == 100);
    CHECK(third == 3);
    // Another task goes on with it.
    const int fourth = co_await cove::spawn(next);
    CHECK(fourth == 100);
    CHECK(level.get() == nullptr);
  });
}

/// Says when it goes.
struct watched {
  explicit watched(int* count) noexcept : gone(count) {}
  watched(watched&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
  watched& operator=(watched&&) = delete;
  ~watched() {
    if (gone != nullptr) ++*gone;
  }
  int* gone;
};
task_local<watched> guarded;

TEST_CASE("a value goes when its await ends, also by an exception or a request") {
  run_in(plain_options(1), []() -> task<> {
    int gone = 0;
    const auto fails = [&gone]() -> task<> {
      CHECK(gone == 0);
      co_await cove::this_task::yield();
      throw std::runtime_error("no");
    };
    std::string ended = co_await outcome_of(guarded.with(watched(&gone), fails()));
    CHECK(ended == "no");
    CHECK(gone == 1);
    auto long_wait = cove::with_timeout(guarded.with(watched(&gone), cove::test::forever()), 100us);
    ended = co_await outcome_of(std::move(long_wait));
    CHECK(ended == "deadline");
    CHECK(gone == 2);
    CHECK(guarded.get() == nullptr);
  });
}

}  // namespace
