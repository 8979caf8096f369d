#include <cove/runtime/generator.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <stdexcept>
#include <vector>

namespace {

using cove::generator;
using cove::join_handle;
using cove::semaphore;
using cove::task;
using cove::with_timeout;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""ms;

generator<int> numbers(int end) {
  for (int i = 0; i < end; ++i) {
    co_await cove::this_task::yield();
    co_yield i;
  }
}

/// Sets a flag when it goes.
class tells_end {
 public:
  explicit tells_end(bool* flag) : flag_(flag) {}
  tells_end(const tells_end&) = delete;
  tells_end& operator=(const tells_end&) = delete;
  ~tells_end() { *flag_ = true; }

 private:
  bool* flag_;
};
generator<std::string> endless(bool* begun, bool* ended) {
  const tells_end guard(ended);
  *begun = true;
  for (;;) co_yield std::string("an item that is too long to be stored in place");
}
generator<int> fails_after_one() {
  co_yield 1;
  co_await cove::this_task::yield();
  throw std::runtime_error("expected");
}
generator<int> waits(semaphore* here) {
  co_yield 1;
  here->release();
  co_await forever();
  co_yield 2;
}

TEST_CASE("a generator gives its items in order, then null, and null for ever") {
  run_in(plain_options(4), []() -> task<> {
    auto each = numbers(1000);
    int expected = 0;
    while (const int* item = co_await each.next()) {
      CHECK(*item == expected);
      ++expected;
    }
    CHECK(expected == 1000);
    for (int i = 0; i < 3; ++i) {
      const int* item = co_await each.next();
      CHECK(item == nullptr);
    }
    auto none = numbers(0);
    const int* item = co_await none.next();
    CHECK(item == nullptr);
  });
}

TEST_CASE("a generator is lazy, and unwinds where it stands when it is destroyed early") {
  run_in(plain_options(1), []() -> task<> {
    bool begun = false, ended = false;
    {
      auto never_asked = endless(&begun, &ended);
    }
    CHECK_FALSE(begun);
    {
      auto each = endless(&begun, &ended);
      CHECK_FALSE(begun);
      std::string* item = co_await each.next();
      const std::string taken = std::move(*item);
      CHECK(taken.substr(0, 7) == "an item");
      item = co_await each.next();
      CHECK(item->substr(0, 7) == "an item");
      auto moved = std::move(each);
      item = co_await moved.next();
      CHECK(item != nullptr);
      CHECK_FALSE(ended);
    }
    CHECK(ended);
  });
}

TEST_CASE("an item may be a thing that cannot be copied") {
  run_in(plain_options(1), []() -> task<> {
    const auto make = []() -> generator<std::unique_ptr<int>> {
      for (int i = 0; i < 3; ++i) co_yield std::make_unique<int>(i);
    };
    std::vector<std::unique_ptr<int>> kept;
    auto each = make();
    while (auto* item = co_await each.next()) kept.push_back(std::move(*item));
    CHECK(kept.size() == 3);
    CHECK(*kept[2] == 2);
  });
}

TEST_CASE("what leaves a generator is thrown once, then it is at its end") {
  run_in(plain_options(1), []() -> task<> {
    auto each = fails_after_one();
    const int* item = co_await each.next();
    CHECK(*item == 1);
    bool caught = false;
    try {
      item = co_await each.next();
    } catch (const std::runtime_error&) {
      caught = true;
    }
    CHECK(caught);
    item = co_await each.next();
    CHECK(item == nullptr);
  });
}

TEST_CASE("a request reaches what a generator awaits") {
  run_in(plain_options(), []() -> task<> {
    semaphore here(0);
    const auto job = [](semaphore* told) -> task<> {
      auto each = waits(told);
      while (co_await each.next() != nullptr) {
      }
    };
    join_handle<> handle = cove::spawn(job, &here);
    auto there = co_await here.acquire();
    static_cast<void>(there.forget());
    handle.cancel();
    const auto end = co_await handle.as_result();
    CHECK(end.error() == std::errc::operation_canceled);

    auto each = waits(&here);
    const int* item = co_await with_timeout(each.next(), 10'000ms);
    CHECK(*item == 1);
    std::error_code code;
    try {
      item = co_await with_timeout(each.next(), 2ms);
    } catch (const cove::error& e) {
      code = e.code();
    }
    CHECK(code == cove::errc::deadline_exceeded);
  });
}

TEST_CASE("generators stand behind one another, with a flat stack") {
  run_in(plain_options(1), []() -> task<> {
    const auto doubled = [](generator<int> from) -> generator<int> {
      while (const int* item = co_await from.next()) co_yield 2 * *item;
    };
    const auto plain = [](int end) -> generator<int> {
      for (int i = 0; i < end; ++i) co_yield i;
    };
    auto each = doubled(doubled(plain(100'000)));
    long sum = 0;
    while (const int* item = co_await each.next()) sum += *item;
    CHECK(sum == 4L * 100'000 * 99'999 / 2);
  });
}

generator<int> ends_in_code() {
  co_yield 1;
  throw cove::error(std::make_error_code(std::errc::io_error), "disk");
}

TEST_CASE("as_result of a generator gives items and codes, and throws what is no system error") {
  run_in(plain_options(1), []() -> task<> {
    auto each = ends_in_code();
    const auto first = co_await each.next().as_result();
    CHECK(*first.value() == 1);
    const auto failed = co_await each.next().as_result();
    CHECK(failed.error() == std::errc::io_error);
    const auto end = co_await each.next().as_result();
    CHECK(end.value() == nullptr);
    auto other = fails_after_one();
    const auto good = co_await other.next().as_result();
    CHECK(good.has_value());
    const std::string thrown = co_await cove::test::outcome_of(other.next().as_result());
    CHECK(thrown == "expected");
  });
}

}  // namespace
