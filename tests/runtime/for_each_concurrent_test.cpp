#include <cove/runtime/for_each_concurrent.hpp>

#include "support/runtime_test.hpp"

#include <array>
#include <list>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace {

using cove::for_each_concurrent;
using cove::join_handle;
using cove::semaphore;
using cove::task;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::take;

TEST_CASE("each element is visited once, and never more than the limit at a time") {
  run_in(plain_options(4), []() -> task<> {
    std::vector<int> counts(300);
    std::atomic<int> inside{0}, most{0};
    const auto visit = [&](int& count) -> task<> {
      const int now = ++inside;
      int seen = most;
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      for (int i = 0; i < 3; ++i) co_await cove::this_task::yield();
      ++count;
      --inside;
    };
    co_await for_each_concurrent(counts, 5, visit);
    for (const int count : counts) CHECK(count == 1);
    CHECK(most <= 5);
    CHECK(most >= 1);
  });
}

TEST_CASE("with a limit of one elements are visited in their order") {
  run_in(plain_options(4), []() -> task<> {
    std::vector<int> seen;
    const auto note = [&seen](const std::unique_ptr<int>& which) -> task<> {
      co_await cove::this_task::yield();
      seen.push_back(*which);
    };
    std::list<std::unique_ptr<int>> numbers;  // Cannot be copied: passed where they stand.
    for (int i = 0; i < 20; ++i) numbers.push_back(std::make_unique<int>(i));
    co_await for_each_concurrent(std::move(numbers), 1, note);
    CHECK(seen.size() == 20);
    for (int i = 0; i < 20; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
  });
}

/// A stream's numbers: each is gone when the next is read.
struct numbers_of {
  std::istringstream* in;
  std::istream_iterator<int> begin() const { return std::istream_iterator<int>(*in); }
  std::istream_iterator<int> end() const { return {}; }
};

TEST_CASE("elements that a range makes on the way are passed by value") {
  run_in(plain_options(), []() -> task<> {
    std::istringstream text("1 2 3 4 5 6 7 8 9");
    std::atomic<int> sum{0};
    const auto add = [&sum](int n) -> task<> {
      co_await cove::this_task::yield();
      sum += n;
    };
    co_await for_each_concurrent(numbers_of{&text}, 3, add);
    CHECK(sum == 45);
    const std::vector<bool> bits(10, true);
    const auto count = [&sum](bool bit) -> task<> {
      sum += bit ? 1 : 0;
      co_return;
    };
    co_await for_each_concurrent(bits, 2, count);
    CHECK(sum == 55);
  });
}

TEST_CASE("K19 the first failure cancels the others and begins nothing more") {
  run_in(plain_options(), []() -> task<> {
    semaphore here(0);
    std::atomic<int> begun{0}, canceled{0};
    constexpr std::array all{0, 1, 2, 3, 4, 5};
    const auto work = [&](int which) -> task<> {
      ++begun;
      if (which == 2) {
        co_await take(&here);
        co_await take(&here);
        throw std::runtime_error("two");
      }
      here.release();
      const auto ended = co_await forever().as_result();
      if (!ended) ++canceled;
      co_await forever();
    };
    std::string why;
    try {
      co_await for_each_concurrent(all, 3, work);
    } catch (const std::runtime_error& e) {
      why = e.what();
    }
    CHECK(why == "two");
    CHECK(begun == 3);
    CHECK(canceled == 2);
  });
}

TEST_CASE("a request from outside ends the walk and what was begun") {
  run_in(plain_options(), []() -> task<> {
    semaphore here(0);
    std::atomic<int> begun{0}, ended{0};
    const auto job = [&]() -> task<> {
      const std::vector<int> all(100);
      const auto work = [&](int) -> task<> {
        ++begun;
        here.release();
        static_cast<void>(co_await forever().as_result());
        ++ended;
        co_await forever();
      };
      co_await for_each_concurrent(all, 4, work);
    };
    join_handle<> handle = cove::spawn(job);
    for (int i = 0; i < 4; ++i) co_await take(&here);
    handle.cancel();
    const auto end = co_await handle.as_result();
    CHECK(end.error() == std::errc::operation_canceled);
    CHECK(begun == 4);
    CHECK(ended == 4);
  });
}

TEST_CASE("a limit of nothing is refused, and an empty range is done") {
  run_in(plain_options(1), []() -> task<> {
    const std::vector<int> none;
    const auto work = [](int) -> task<> { co_return; };
    co_await for_each_concurrent(none, 1, work);
    std::string why;
    try {
      co_await for_each_concurrent(none, 0, work);
    } catch (const cove::error& e) {
      CHECK(e.code() == std::errc::invalid_argument);
      why = e.what();
    }
    CHECK(why.find("limit 0") != std::string::npos);
  });
}

}  // namespace
