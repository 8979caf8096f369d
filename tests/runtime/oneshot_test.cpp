#include <cove/runtime/oneshot.hpp>

#include "support/runtime_test.hpp"

#include <memory>
#include <string>
#include <vector>

namespace {

using cove::join_handle;
using cove::oneshot;
using cove::oneshot_receiver;
using cove::oneshot_sender;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

using boxed = std::unique_ptr<int>;

task<int> receive_from(oneshot_receiver<boxed> from) {
  auto got = co_await from.receive();
  co_return *got;
}

TEST_CASE("a oneshot gives its value, whoever comes first") {
  run_in(plain_options(1), []() -> task<> {
    auto early = oneshot<boxed>();
    CHECK(!early.sender.closed());
    CHECK(early.sender.send(std::make_unique<int>(1)));
    CHECK(early.sender.closed());
    auto got = co_await early.receiver.receive();
    CHECK(*got == 1);
    CHECK(early.receiver.ended());

    auto late = oneshot<boxed>();
    auto receiving = spawn(receive_from, std::move(late.receiver));
    co_await cove::this_task::yield();
    CHECK(late.sender.send(std::make_unique<int>(2)));
    const int number = co_await receiving;
    CHECK(number == 2);
  });
}

TEST_CASE("M16 a oneshot whose sender goes reports closed") {
  run_in(plain_options(1), []() -> task<> {
    auto ends = oneshot<boxed>();
    auto receiving = spawn(receive_from, std::move(ends.receiver));
    co_await cove::this_task::yield();
    {
      const oneshot_sender<boxed> gone = std::move(ends.sender);
    }
    auto ended = co_await receiving.as_result();
    CHECK(ended.error() == cove::errc::closed);
  });
}

TEST_CASE("M16 a value for a receiver that has gone comes back, and so does a second one") {
  auto ends = oneshot<boxed>();
  {
    const oneshot_receiver<boxed> gone = std::move(ends.receiver);
  }
  CHECK(ends.sender.closed());
  auto back = ends.sender.send(std::make_unique<int>(3));
  CHECK(back.error() == cove::errc::closed);
  CHECK(*back.unsent() == 3);
  auto again = ends.sender.send(std::make_unique<int>(4));
  CHECK(*again.unsent() == 4);
}

TEST_CASE("K17 a oneshot whose receive ran out of time still has its value") {
  run_in(plain_options(1), []() -> task<> {
    auto ends = oneshot<boxed>();
    CHECK(!ends.receiver.try_receive());
    CHECK(!ends.receiver.ended());
    constexpr std::chrono::milliseconds limit(1);
    auto none = co_await cove::with_timeout(ends.receiver.receive().as_result(), limit);
    CHECK(none.error() == std::errc::timed_out);
    CHECK(ends.sender.send(std::make_unique<int>(5)));
    auto got = ends.receiver.try_receive();
    REQUIRE(got);
    CHECK(**got == 5);
  });
}

TEST_CASE("a thread receives from a task, and the value that nobody takes is destroyed") {
  auto ends = oneshot<std::shared_ptr<int>>();
  auto unread = oneshot<std::shared_ptr<int>>();
  const auto value = std::make_shared<int>(6);
  CHECK(unread.sender.send(value));
  cove::runtime runtime(plain_options(1));
  auto sending = runtime.spawn(
      [](oneshot_sender<std::shared_ptr<int>> to, std::shared_ptr<int> what) -> task<> {
        CHECK(to.send(std::move(what)));
        co_return;
      },
      std::move(ends.sender), value);
  CHECK(*ends.receiver.receive_blocking() == 6);
  runtime.wait(std::move(sending));
  {
    const auto gone = std::move(unread.receiver);
  }
  CHECK(value.use_count() == 1);
}

TEST_CASE("M16 M03 both ends of a oneshot may go at any moment") {
  for (const unsigned workers : {1U, 4U}) {
    run_in(plain_options(workers), []() -> task<> {
      for (int round = 0; round < 200; ++round) {
        auto ends = oneshot<boxed>();
        auto receiving = spawn(receive_from, std::move(ends.receiver));
        if (round % 2 == 0) co_await cove::this_task::yield();
        if (round % 3 == 0) receiving.cancel();
        const bool sent = static_cast<bool>(ends.sender.send(std::make_unique<int>(round)));
        auto ended = co_await receiving.as_result();
        if (ended) {
          CHECK(sent);
          CHECK(*ended == round);
        }
      }
    });
  }
}

}  // namespace
