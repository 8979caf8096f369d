#include <cove/runtime/channel.hpp>

#include "support/parcel.hpp"
#include "support/runtime_test.hpp"

#include <memory>
#include <vector>

namespace {

using cove::channel;
using cove::join_handle;
using cove::spawn;
using cove::task;
using cove::test::eventually;
using cove::test::parcel;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::settle;

task<> send_one(channel<parcel>* to, int number) { co_await to->send(parcel(number)); }
task<int> receive_one(channel<parcel>* from) {
  auto got = co_await from->receive();
  co_return got ? got->number() : -1;
}

TEST_CASE("M16 values come in the order of sending, then the end") {
  run_in(plain_options(1), []() -> task<> {
    channel<int> numbers(3);
    for (int i = 0; i < 3; ++i) co_await numbers.send(i);
    CHECK(numbers.size() == 3);
    auto full = numbers.try_send(3);
    CHECK(full.error() == std::errc::operation_would_block);
    CHECK(full.unsent() == 3);
    numbers.close();
    CHECK(!numbers.ended());
    for (int i = 0; i < 3; ++i) {
      auto got = co_await numbers.receive();
      CHECK(got == i);
    }
    CHECK(numbers.ended());
    auto none = co_await numbers.receive();
    CHECK(!none);
    CHECK(!numbers.try_receive());
  });
}

TEST_CASE("M16 a rendezvous ends a send when its value was received") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> meeting(0);
    auto none = meeting.try_send(parcel(0));
    CHECK(none.error() == std::errc::operation_would_block);
    auto sender = spawn(send_one, &meeting, 1);
    co_await settle();
    CHECK(!sender.done());
    CHECK(meeting.size() == 0);
    auto got = co_await meeting.receive();
    CHECK(got->number() == 1);
    co_await sender;
    auto receiver = spawn(receive_one, &meeting);
    co_await settle();
    CHECK(meeting.try_send(parcel(2)));
    const int number = co_await receiver;
    CHECK(number == 2);
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("M16 a sender that waits follows when a value is received, in order") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> parcels(1);
    co_await parcels.send(parcel(0));
    auto first = spawn(send_one, &parcels, 1);
    co_await settle();
    auto second = spawn(send_one, &parcels, 2);
    co_await settle();
    for (int i = 0; i < 3; ++i) {
      auto got = parcels.try_receive();
      REQUIRE(got);
      CHECK(got->number() == i);
    }
    co_await first;
    co_await second;
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("M16 close wakes both ends, and a value that was not sent comes back") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> empty(2);
    auto receiver = spawn(receive_one, &empty);
    co_await settle();
    empty.close();
    empty.close();
    const int nothing = co_await receiver;
    CHECK(nothing == -1);

    channel<parcel> full(0);
    auto sender = spawn(send_one, &full, 1);
    co_await settle();
    full.close();
    auto ended = co_await sender.as_result();
    CHECK(ended.error() == cove::errc::closed);
    auto late = co_await full.send(parcel(7)).as_result();
    CHECK(late.error() == cove::errc::closed);
    CHECK(late.unsent().number() == 7);
    const parcel back = std::move(late).unsent();
    CHECK(back.number() == 7);
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("the error of a send to a closed channel says that nothing was sent") {
  run_in(plain_options(1), []() -> task<> {
    channel<int> over(1);
    over.close();
    std::string text;
    try {
      co_await over.send(1);
    } catch (const cove::error& e) {
      text = e.what();
    }
    CHECK(text.find("nothing was sent") != std::string::npos);
  });
}

TEST_CASE("K17 a cancelled send takes its value with it, a cancelled receive takes none") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> parcels(0);
    auto sender = spawn(send_one, &parcels, 1);
    co_await settle();
    sender.cancel();
    auto ended = co_await sender.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(!parcels.try_receive());
    auto receiver = spawn(receive_one, &parcels);
    co_await settle();
    receiver.cancel();
    auto stopped = co_await receiver.as_result();
    CHECK(stopped.error() == std::errc::operation_canceled);
    CHECK(parcels.try_send(parcel(2)).error() == std::errc::operation_would_block);
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("K17 a receive that was granted before its cancellation gives its value") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> parcels(0);
    auto receiver = spawn(receive_one, &parcels);
    co_await settle();
    CHECK(parcels.try_send(parcel(5)));
    receiver.cancel();  // It is on its way already.
    const int number = co_await receiver;
    CHECK(number == 5);
  });
}

TEST_CASE("a limit around send and receive ends the wait, and nothing is lost") {
  run_in(plain_options(1), []() -> task<> {
    constexpr std::chrono::milliseconds limit(1);
    channel<parcel> parcels(0);
    auto unsent = co_await cove::with_timeout(parcels.send(parcel(3)).as_result(), limit);
    CHECK(unsent.error() == std::errc::timed_out);
    CHECK(unsent.unsent().number() == 3);
    auto nothing = co_await cove::with_timeout(parcels.receive().as_result(), limit);
    CHECK(nothing.error() == std::errc::timed_out);
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("what was never received is destroyed with the channel") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> parcels(4);
    for (int i = 0; i < 3; ++i) co_await parcels.send(parcel(i));
    auto first = co_await parcels.receive();
    co_await parcels.send(parcel(3));
    co_await parcels.send(parcel(4));  // The ring has gone around.
    CHECK(parcel::alive == 5);
  });
  CHECK(parcel::alive == 0);
}

/// Wakes a receiver that waits, by a value or by the end; afterwards the channel may be gone.
task<> wake_receiver(channel<parcel>* on, int number, bool closes) {
  if (closes) {
    on->close();
    co_return;
  }
  for (;;) {
    const bool sent = static_cast<bool>(on->try_send(parcel(number)));
    if (sent) co_return;
    co_await cove::this_task::yield();
  }
}

TEST_CASE("M03 a channel may be destroyed by the task that it has just woken") {
  run_in(plain_options(4), []() -> task<> {
    for (int i = 0; i < 300; ++i) {
      const bool closes = i % 2 == 0;
      auto meeting = std::make_unique<channel<parcel>>(0);
      auto waker = spawn(wake_receiver, meeting.get(), i, closes);
      auto got = co_await meeting->receive();
      meeting.reset();  // The waker may still be on its way out.
      CHECK(got.has_value() != closes);
      co_await waker;
    }
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("threads send and receive as tasks do, and are refused inside of one") {
  run_in(plain_options(2), []() -> task<> {
    channel<int> there(0);
    channel<int> back(0);
    std::thread echo([&there, &back] {
      while (auto got = there.receive_blocking()) back.send_blocking(*got + 1);
      back.close();
    });
    for (int i = 0; i < 100; ++i) {
      co_await there.send(i);
      auto got = co_await back.receive();
      CHECK(got == i + 1);
    }
    there.close();
    auto end = co_await back.receive();
    CHECK(!end);
    echo.join();
    CHECK_THROWS_AS(back.send_blocking(1), std::system_error);
  });
  channel<int> closed(0);
  closed.close();
  CHECK_THROWS_AS(closed.send_blocking(1), cove::error);
}

/// One number each, as often as it is told; counted by number.
struct ledger {
  explicit ledger(std::size_t numbers) : sent(numbers), received(numbers) {}

  /// True if each number that was sent has been received once, and no other.
  bool balanced() const {
    for (std::size_t i = 0; i < sent.size(); ++i)
      if (sent[i] != received[i]) return false;
    return true;
  }

  std::vector<std::atomic<int>> sent;
  std::vector<std::atomic<int>> received;
};

task<> send_many(channel<parcel>* to, ledger* book, int from, int count) {
  for (int i = from; i < from + count; ++i) {
    auto ended = co_await to->send(parcel(i)).as_result();
    if (!ended) {
      CHECK(ended.unsent().number() == i);
      co_return;
    }
    ++book->sent[static_cast<std::size_t>(i)];
  }
}

task<> receive_all(channel<parcel>* from, ledger* book) {
  for (;;) {
    auto got = co_await from->receive().as_result();
    if (!got || !*got) co_return;
    ++book->received[static_cast<std::size_t>((*got)->number())];
  }
}

/// Senders and receivers by the dozen, half of which are cancelled at some moment.
task<> storm(std::size_t capacity) {
  constexpr int senders = 12;
  constexpr int each_sends = 150;
  channel<parcel> parcels(capacity);
  ledger book(senders * each_sends);
  std::vector<join_handle<>> sending;
  std::vector<join_handle<>> receiving;
  for (int i = 0; i < senders; ++i) {
    sending.push_back(spawn(send_many, &parcels, &book, i * each_sends, each_sends));
    receiving.push_back(spawn(receive_all, &parcels, &book));
  }
  for (std::size_t i = 0; i < senders / 2; ++i) {
    for (std::size_t j = 0; j <= i; ++j) co_await cove::this_task::yield();
    sending[2 * i].cancel();
    receiving[2 * i + 1].cancel();
  }
  for (auto& each : sending) static_cast<void>(co_await each.as_result());
  parcels.close();
  for (auto& each : receiving) static_cast<void>(co_await each.as_result());
  CHECK(parcels.ended());
  CHECK(book.balanced());
}

TEST_CASE("M16 no value is lost or received twice, whoever is cancelled meanwhile") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), []() -> task<> {
      for (std::size_t round = 0; round < 12; ++round) co_await storm(round % 4);
    });
    CHECK(parcel::alive == 0);
  }
}

TEST_CASE("M16 no value is lost when the channel is closed among senders, tasks and threads") {
  run_in(plain_options(4), []() -> task<> {
    for (std::size_t round = 0; round < 20; ++round) {
      channel<parcel> parcels(round % 3);
      ledger book(500);
      std::vector<join_handle<>> tasks;
      for (int i = 0; i < 4; ++i) tasks.push_back(spawn(send_many, &parcels, &book, i * 100, 100));
      for (int i = 0; i < 2; ++i) tasks.push_back(spawn(receive_all, &parcels, &book));
      std::thread other([&parcels, &book] {
        for (int i = 400; i < 500; ++i) {
          try {
            parcels.send_blocking(parcel(i));
          } catch (const cove::error&) {
            return;
          }
          ++book.sent[static_cast<std::size_t>(i)];
        }
      });
      for (std::size_t i = 0; i < round; ++i) co_await cove::this_task::yield();
      parcels.close();
      for (auto& each : tasks) co_await each;
      other.join();
      CHECK(book.balanced());
    }
  });
  CHECK(parcel::alive == 0);
}

}  // namespace
