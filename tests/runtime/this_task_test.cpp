#include <cove/runtime/this_task.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/runtime_test.hpp"

namespace {

using cove::join_handle;
using cove::task;
using cove::test::eventually;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""ms;

namespace this_task = cove::this_task;

task<std::uint64_t> own_id() {
  const std::uint64_t before = this_task::id();
  for (int i = 0; i < 10; ++i) co_await this_task::yield();
  CHECK(this_task::id() == before);
  co_return before;
}
task<std::string> own_name() { co_return std::string(this_task::name()); }

TEST_CASE("outside of a task there is none") {
  CHECK(this_task::id() == 0);
  CHECK(this_task::name().empty());
  this_task::set_name("nobody");
  CHECK(this_task::name().empty());
  CHECK(cove::runtime::current() == nullptr);
}

TEST_CASE("a task has one number wherever it runs, and what it awaits has the same") {
  run_in(plain_options(), []() -> task<> {
    const std::uint64_t mine = this_task::id();
    CHECK(mine != 0);
    const std::uint64_t of_child = co_await own_id();
    CHECK(of_child == mine);
    CHECK(this_task::id() == mine);
  });
}

TEST_CASE("no two tasks of a runtime have the same number") {
  static constexpr unsigned from_outside = 200;
  static constexpr unsigned from_inside = 3000;
  std::set<std::uint64_t> numbers;
  run_in(plain_options(), [&](cove::runtime& in) {
    std::vector<join_handle<std::uint64_t>> handles;
    for (unsigned i = 0; i < from_outside; ++i) handles.push_back(in.spawn(own_id));
    for (auto& each : handles) {
      const std::uint64_t id = each.id();
      CHECK(in.wait(std::move(each)) == id);
      numbers.insert(id);
    }
    in.block_on([&]() -> task<> {
      std::vector<join_handle<std::uint64_t>> more;
      for (unsigned i = 0; i < from_inside; ++i) more.push_back(cove::spawn(own_id));
      for (auto& each : more) numbers.insert(co_await each);
    });
  });
  CHECK(numbers.size() == from_outside + from_inside);
  CHECK(*numbers.begin() != 0);
}

TEST_CASE("a task is called what was spawned, until it names itself") {
  run_in(plain_options(), []() -> task<> {
    const std::string given = co_await cove::spawn(own_name);
    CHECK(given.find("own_name") != std::string::npos);
    const auto naming = []() -> task<std::string> {
      this_task::set_name("the well-known one");
      co_await this_task::yield();
      const std::string of_child = co_await own_name();
      CHECK(cove::runtime::current()->report().find("the well-known one") != std::string::npos);
      co_return of_child;
    };
    const std::string chosen = co_await cove::spawn(naming);
    CHECK(chosen == "the well-known one");
    CHECK(this_task::name() != "the well-known one");
  });
}

TEST_CASE("yield lets everything run that can run here") {
  run_in(plain_options(1), []() -> task<> {
    static constexpr int others = 50;
    int ran = 0;
    const auto job = [](int& count) -> task<> {
      ++count;
      co_return;
    };
    std::vector<join_handle<>> jobs;
    for (int i = 0; i < others; ++i) jobs.push_back(cove::spawn(job, std::ref(ran)));
    CHECK(ran == 0);
    co_await this_task::yield();
    CHECK(ran == others);
    for (auto& each : jobs) co_await each;
  });
}

TEST_CASE("tasks that give way to each other get on at the same pace") {
  run_in(plain_options(1), []() -> task<> {
    static constexpr std::size_t count = 10;
    static constexpr int rounds = 5000;
    std::vector<int> turns(count);
    int widest = 0;
    const auto job = [](std::vector<int>& all, std::size_t mine, int& gap) -> task<> {
      for (int i = 0; i < rounds; ++i) {
        co_await this_task::yield();
        ++all[mine];
        const auto [least, most] = std::minmax_element(all.begin(), all.end());
        gap = std::max(gap, *most - *least);
      }
    };
    std::vector<join_handle<>> jobs;
    for (std::size_t i = 0; i < count; ++i)
      jobs.push_back(cove::spawn(job, std::ref(turns), i, std::ref(widest)));
    for (auto& each : jobs) co_await each;
    CHECK(widest <= 2);
  });
}

TEST_CASE("yield tells of a request, and of a deadline") {
  run_in(plain_options(), []() -> task<> {
    std::atomic<bool> begun{false};
    const auto job = [](std::atomic<bool>& flag) -> task<int> {
      flag = true;
      try {
        for (;;) co_await this_task::yield();
      } catch (const cove::canceled&) {
      }
      co_return 1;
    };
    join_handle<int> handle = cove::spawn(job, std::ref(begun));
    co_await eventually(begun);
    handle.cancel();
    const int got = co_await handle;
    CHECK(got == 1);

    const auto endless = []() -> task<> {
      for (;;) co_await this_task::yield();
    };
    const auto late = co_await cove::with_timeout(endless(), 5ms).as_result();
    CHECK(late.error() == cove::errc::deadline_exceeded);
  });
}

TEST_CASE("a computation can see that it was asked to end") {
  CHECK_FALSE(this_task::stop_requested());
  run_in(plain_options(2), []() -> task<> {
    std::atomic<bool> begun{false};
    const auto job = [](std::atomic<bool>& flag) -> task<int> {
      CHECK_FALSE(this_task::stop_requested());
      flag = true;
      CHECK(cove::test::thread_waits_for([] { return this_task::stop_requested(); }));
      co_return 1;
    };
    join_handle<int> handle = cove::spawn(job, std::ref(begun));
    co_await eventually(begun);
    handle.cancel();
    const int got = co_await handle;
    CHECK(got == 1);

    const auto late = []() -> task<bool> { co_return this_task::stop_requested(); };
    const bool passed = co_await cove::with_timeout(late(), 0ms);
    CHECK(passed);
    CHECK_FALSE(this_task::stop_requested());
  });
}

TEST_CASE("a task knows its runtime") {
  run_in(plain_options(), [](cove::runtime& in) {
    const bool same = in.block_on([&in]() -> task<bool> {
      co_await this_task::yield();
      co_return cove::runtime::current() == &in;
    });
    CHECK(same);
    CHECK(cove::runtime::current() == nullptr);
  });
}

}  // namespace
