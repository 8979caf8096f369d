#include <cove/runtime/strand.hpp>

#include "support/runtime_test.hpp"

#include <optional>

namespace {

using cove::join_handle;
using cove::runtime;
using cove::strand;
using cove::task;
using cove::test::eventually;
using cove::test::outcome_of;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""us;

/// Notes its number when it begins and when it ends, and gives way in between.
task<int> note_twice(std::vector<int>* order, int number) {
  order->push_back(number);
  for (int i = 0; i < 3; ++i) co_await cove::this_task::yield();
  order->push_back(number);
  co_return number;
}

TEST_CASE("M15 jobs run one after another in the order in which they were put on the strand") {
  run_in(plain_options(4), []() -> task<> {
    strand line;
    std::vector<int> order;
    std::vector<join_handle<int>> jobs;
    constexpr int count = 200;
    for (int i = 0; i < count; ++i) jobs.push_back(line.spawn(note_twice, &order, i));
    for (int i = 0; i < count; ++i) {
      const int number = co_await jobs[static_cast<std::size_t>(i)];
      CHECK(number == i);
    }
    CHECK(order.size() == 2 * count);
    for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == static_cast<int>(i / 2));
  });
}

TEST_CASE("a job gives the value of its coroutine or function, or its failure") {
  run_in(plain_options(1), []() -> task<> {
    strand line;
    int state = 1;
    const auto twice = [&state](int by) { return state *= by; };
    const int made = co_await line.run(twice, 2);
    CHECK(made == 2);
    const auto nothing = [&state] { ++state; };
    co_await line.run(nothing);
    CHECK(state == 3);
    std::vector<int> order;
    const int number = co_await line.run(note_twice, &order, 7);
    CHECK(number == 7);
    const auto fails = []() -> int { throw std::runtime_error("no"); };
    const std::string ended = co_await outcome_of(line.run(fails));
    CHECK(ended == "no");
    const int spawned = co_await line.spawn(twice, 5);
    CHECK(spawned == 15);
  });
}

TEST_CASE("the place of a job is taken when it is spawned, not when its task begins") {
  run_in(plain_options(1), []() -> task<> {
    strand line;
    std::vector<int> order;
    const auto note = [&order](int number) { order.push_back(number); };
    // The task that was spawned last begins first on this worker.
    auto first = line.spawn(note, 1);
    auto second = line.spawn(note, 2);
    co_await line.run(note, 3);
    CHECK(order == cove::test::numbers(1, 2, 3));
    co_await first;
    co_await second;
  });
}

TEST_CASE("a job that runs something on its own strand runs it at once") {
  run_in(plain_options(1), []() -> task<> {
    strand line;
    std::vector<int> order;
    CHECK_FALSE(line.running_in_this_task());
    const auto inner = [&] {
      CHECK(line.running_in_this_task());
      order.push_back(1);
    };
    const auto outer = [&]() -> task<> {
      const auto next = [&order] { order.push_back(2); };
      auto behind = line.spawn(next);
      co_await cove::this_task::yield();
      co_await line.run(inner);
      CHECK(line.running_in_this_task());
      co_await cove::this_task::yield();
      CHECK(order == cove::test::numbers(1));
      behind.detach();
    };
    co_await line.run(outer);
    CHECK_FALSE(line.running_in_this_task());
    const auto last = [&order] { order.push_back(3); };
    co_await line.run(last);
    CHECK(order == cove::test::numbers(1, 2, 3));
  });
}

TEST_CASE("M15 a job that is cancelled before its turn never runs, and the others move up") {
  run_in(plain_options(1), []() -> task<> {
    strand line;
    cove::event go_on;
    std::vector<int> order;
    const auto hold = [&go_on]() -> task<> { co_await go_on.wait(); };
    const auto note = [&order](int number) { order.push_back(number); };
    auto holder = line.spawn(hold);
    auto never_began = line.spawn(note, 1);
    never_began.cancel();
    auto waits = line.spawn(note, 2);
    auto last = line.spawn(note, 3);
    for (int i = 0; i < 5; ++i) co_await cove::this_task::yield();
    waits.cancel();
    const std::string first_end = co_await outcome_of(std::move(never_began));
    const std::string second_end = co_await outcome_of(std::move(waits));
    CHECK(first_end == "canceled");
    CHECK(second_end == "canceled");
    const std::string limited = co_await outcome_of(cove::with_timeout(line.run(note, 4), 200us));
    CHECK(limited == "deadline");
    go_on.set();
    co_await last;
    CHECK(order == cove::test::numbers(3));
    co_await holder;
  });
}

TEST_CASE("a job that is cancelled at its turn gives the strand back") {
  run_in(plain_options(1), []() -> task<> {
    strand line;
    const auto stays = []() -> task<> { co_await cove::test::forever(); };
    auto job = line.spawn(stays);
    co_await cove::this_task::yield();
    job.cancel();
    const std::string ended = co_await outcome_of(std::move(job));
    CHECK(ended == "canceled");
    const int free = co_await line.run([] { return 1; });
    CHECK(free == 1);
  });
}

TEST_CASE("jobs are parts of the scope, supervisor or runtime that they are spawned in") {
  run_in(plain_options(2), [](runtime& in) {
    strand line;
    std::vector<int> order;
    const auto note = [&order](int number) { order.push_back(number); };
    // From a thread, in its order.
    std::vector<join_handle<>> jobs;
    for (int i = 0; i < 50; ++i) jobs.push_back(line.spawn_in(in, note, i));
    for (auto& each : jobs) in.wait(std::move(each));
    CHECK(order.size() == 50);
    for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == static_cast<int>(i));
    in.block_on([&]() -> task<> {
      const auto body = [&](cove::scope& parts) -> task<> {
        line.spawn_in(parts, note, 50).detach();
        co_return;
      };
      co_await cove::with_scope(body);
      CHECK(order.back() == 50);
    });
  });
}

/// What a job leaves behind when it goes.
struct last_word {
  explicit last_word(std::atomic<int>* counts) noexcept : inside(counts) {}
  last_word(last_word&& other) noexcept : inside(std::exchange(other.inside, nullptr)) {}
  last_word& operator=(last_word&&) = delete;
  ~last_word() {
    if (inside != nullptr) inside->fetch_sub(1);
  }
  std::atomic<int>* inside;
};

task<> enter_alone(last_word mine, std::atomic<int>* most) {
  if (mine.inside->fetch_add(1) != 0) ++*most;
  co_await cove::this_task::yield();
}

TEST_CASE("M15 no job overlaps with what the one before still destroys, whoever is cancelled") {
  run_in(plain_options(4), []() -> task<> {
    strand line;
    std::atomic<int> inside{0};
    std::atomic<int> overlaps{0};
    const auto crowd = [&]() -> task<> {
      for (int i = 0; i < 100; ++i) {
        const auto alone = [&]() -> task<> {
          if (inside.fetch_add(1) != 0) ++overlaps;
          const last_word leave(&inside);
          co_await cove::this_task::yield();
        };
        co_await line.run(alone);
      }
    };
    std::vector<join_handle<>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(cove::spawn(crowd));
    for (std::size_t i = 0; i < 10; ++i) {
      for (std::size_t j = 0; j < 3 * i; ++j) co_await cove::this_task::yield();
      tasks[2 * i].cancel();
    }
    for (auto& each : tasks) static_cast<void>(co_await each.as_result());
    CHECK(overlaps == 0);
    CHECK(inside == 0);
    const int free = co_await line.run([] { return 1; });
    CHECK(free == 1);
  });
}

TEST_CASE("the callable and arguments of a spawned job are gone before the next begins") {
  run_in(plain_options(4), []() -> task<> {
    strand line;
    std::atomic<int> inside{0};
    std::atomic<int> overlaps{0};
    std::vector<join_handle<>> jobs;
    for (int i = 0; i < 200; ++i)
      jobs.push_back(line.spawn(enter_alone, last_word(&inside), &overlaps));
    for (auto& each : jobs) co_await each;
    CHECK(overlaps == 0);
    CHECK(inside == 0);
  });
}

TEST_CASE("a strand is destroyed by the task of its last job") {
  run_in(plain_options(2), [](runtime& in) {
    for (int i = 0; i < 500; ++i) {
      std::optional<strand> line(std::in_place);
      const auto last = [&line]() -> task<> {
        co_await line->run([] {});
        line.reset();
      };
      const auto nothing = [] {};
      auto before = line->spawn_in(in, nothing);
      auto destroys = in.spawn([&]() -> task<> {
        co_await before;
        co_await last();
      });
      in.wait(std::move(destroys));
    }
  });
}

TEST_CASE("a job that the stopping runtime refuses gives its place back") {
  runtime in(plain_options(1));
  strand line;
  CHECK(in.stop(cove::test::patience));
  const auto nothing = [] {};
  auto refused = line.spawn_in(in, nothing);
  CHECK(refused.done());
  run_in(plain_options(1), [&line]() -> task<> {
    const int free = co_await line.run([] { return 1; });
    CHECK(free == 1);
  });
}

}  // namespace
