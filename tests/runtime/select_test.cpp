#include <cove/runtime/select.hpp>

#include "support/parcel.hpp"
#include "support/runtime_test.hpp"

#include <array>
#include <memory>
#include <vector>

namespace {

using cove::channel;
using cove::select;
using cove::spawn;
using cove::task;
using cove::try_select;
using cove::test::parcel;
using cove::test::plain_options;
using cove::test::run_in;
using cove::test::settle;
using cove::this_task::sleep_for;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

/// One of each kind.
struct mixed {
  channel<parcel> in{0};
  channel<parcel> out{0};
  cove::broadcast<int> news{4};
  cove::watch<int> state{0};
  cove::event happened;
  cove::semaphore permits{0};
};

/// Which case of all kinds came.
task<std::size_t> any_of(mixed* all) {
  auto listener = all->news.subscribe();
  auto watcher = all->state.subscribe();
  auto [sender, receiver] = cove::oneshot<int>();
  auto first = co_await select(all->in.receive(), all->out.send(parcel(1)), listener.receive(),
                               watcher.changed(), all->happened.wait(), all->permits.acquire(),
                               receiver.receive(), sleep_for(1h));
  co_return first.index();
}

/// The same, once it waits and `wake` was called.
task<std::size_t> woken_by(mixed* all, void (*wake)(mixed&)) {
  auto waits = spawn(any_of, all);
  co_await settle();
  CHECK(!waits.done());
  wake(*all);
  const std::size_t index = co_await waits;
  co_return index;
}

TEST_CASE("of several cases the one that is ready is done, and nothing of the others") {
  run_in(plain_options(1), []() -> task<> {
    channel<int> numbers(1);
    channel<std::string> words(1);
    cove::event happened;
    co_await numbers.send(7);
    auto first =
        co_await select(words.receive(), numbers.receive(), happened.wait(), sleep_for(1h));
    using expected = std::variant<std::optional<std::string>, std::optional<int>, std::monostate,
                                  std::monostate>;
    static_assert(std::is_same_v<decltype(first), expected>);
    REQUIRE(first.index() == 1);
    CHECK(std::get<1>(first) == 7);
    CHECK(numbers.size() == 0);
    CHECK(words.try_send("free"));
    CHECK(words.try_receive() == "free");
  });
}

TEST_CASE("M16 a select that waits is woken by each kind of case") {
  run_in(plain_options(1), []() -> task<> {
    mixed all;
    auto index = co_await woken_by(&all, [](mixed& m) { CHECK(m.in.try_send(parcel(2))); });
    CHECK(index == 0);
    index = co_await woken_by(&all, [](mixed& m) { CHECK(m.out.try_receive()->number() == 1); });
    CHECK(index == 1);
    index = co_await woken_by(&all, [](mixed& m) { m.news.send(1); });
    CHECK(index == 2);
    index = co_await woken_by(&all, [](mixed& m) { m.state.set(1); });
    CHECK(index == 3);
    index = co_await woken_by(&all, [](mixed& m) { m.happened.set(); });
    CHECK(index == 4);
    all.happened.reset();
    index = co_await woken_by(&all, [](mixed& m) { m.permits.release(); });
    CHECK(index == 5);
    CHECK(all.permits.available() == 1);
    // No waiter was left behind anywhere.
    CHECK(all.in.try_send(parcel(3)).error() == std::errc::operation_would_block);
    CHECK(!all.out.try_receive());
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("a oneshot is a case, and so is the earliest of several moments") {
  run_in(plain_options(1), []() -> task<> {
    auto [sender, receiver] = cove::oneshot<int>();
    CHECK(sender.send(5));
    auto first = co_await select(receiver.receive(), sleep_for(1h));
    REQUIRE(first.index() == 0);
    CHECK(std::get<0>(first) == 5);
    channel<int> never(0);
    auto late = co_await select(sleep_for(1h), never.receive(), sleep_for(1ms), sleep_for(2h));
    CHECK(late.index() == 2);
    auto forever = cove::this_task::sleep_until(cove::clock::time_point::max());
    auto soon = co_await select(forever, sleep_for(0ms));
    CHECK(soon.index() == 1);
  });
}

task<std::size_t> either(channel<parcel>* in, channel<parcel>* out, int number) {
  auto first = co_await select(in->receive(), out->send(parcel(number)));
  co_return first.index();
}

TEST_CASE("M16 two selects meet each other without a ring between them") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> there(0);
    channel<parcel> back(0);
    auto one = spawn(either, &there, &back, 1);
    auto two = spawn(either, &back, &there, 2);
    const std::size_t first = co_await one;
    const std::size_t second = co_await two;
    CHECK(first + second == 1);  // One sent what the other received.
    CHECK(!there.try_receive());
    CHECK(!back.try_receive());
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("a select that sends and receives on one channel meets another, not itself") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> meeting(0);
    auto none = try_select(meeting.receive(), meeting.send(parcel(0)));
    CHECK(!none);
    auto one = spawn(either, &meeting, &meeting, 1);
    co_await settle();
    CHECK(!one.done());
    auto two = spawn(either, &meeting, &meeting, 2);
    const std::size_t first = co_await one;
    const std::size_t second = co_await two;
    CHECK(first + second == 1);
    auto three = spawn(either, &meeting, &meeting, 3);
    co_await settle();
    meeting.close();
    auto ended = co_await three.as_result();  // Told by either of its cases.
    CHECK((!ended || *ended == 0));
    channel<parcel> buffered(1);
    const std::size_t sent = co_await either(&buffered, &buffered, 4);
    CHECK(sent == 1);
    const std::size_t received = co_await either(&buffered, &buffered, 5);
    CHECK(received == 0);
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("a named operation that was not done is as before, and keeps its value") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> out(0);
    channel<int> in(3);
    for (int i = 0; i < 3; ++i) co_await in.send(i);
    auto offer = out.send(parcel(9));
    for (int i = 0; i < 3; ++i) {
      auto first = co_await select(offer, in.receive());
      REQUIRE(first.index() == 1);
      CHECK(std::get<1>(first) == i);
    }
    auto limit = sleep_for(1ms);
    for (int i = 0; i < 2; ++i) {  // Waits, in vain: also then it is as before.
      auto first = co_await select(offer, in.receive(), limit);
      CHECK(first.index() == 2);
    }
    auto back = offer.report();
    CHECK(back.error() == std::errc::operation_would_block);
    CHECK(back.unsent().number() == 9);
  });
  CHECK(parcel::alive == 0);
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> out(0);
    channel<int> in(1);
    auto offer = out.send(parcel(9));
    CHECK(in.try_send(1));
    auto lost = try_select(offer, in.receive());
    CHECK(lost->index() == 1);
    auto receiver = spawn(
        [](channel<parcel>* from) -> task<int> {
          auto got = co_await from->receive();
          co_return got->number();
        },
        &out);
    co_await settle();
    auto sent = try_select(in.receive(), offer);
    CHECK(sent->index() == 1);
    const int number = co_await receiver;
    CHECK(number == 9);
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("M16 a closed channel is reported by its case as by the operation alone") {
  run_in(plain_options(1), []() -> task<> {
    channel<int> closed(0);
    channel<int> open(0);
    closed.close();
    auto end = co_await select(closed.receive(), open.receive());
    REQUIRE(end.index() == 0);
    CHECK(!std::get<0>(end));
    auto refused = co_await select(open.receive(), closed.send(3).as_result());
    REQUIRE(refused.index() == 1);
    CHECK(std::get<1>(refused).error() == cove::errc::closed);
    CHECK(std::get<1>(refused).unsent() == 3);
    auto thrown = co_await cove::test::code_of(select(open.receive(), closed.send(3)));
    CHECK(thrown == cove::errc::closed);
    auto code = co_await select(open.receive(), closed.send(3)).as_result();
    CHECK(code.error() == cove::errc::closed);
  });
}

TEST_CASE("K17 a cancelled select has done nothing, a limit around it ends it") {
  run_in(plain_options(1), []() -> task<> {
    mixed all;
    auto waits = spawn(any_of, &all);
    co_await settle();
    waits.cancel();
    auto ended = co_await waits.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(all.in.try_send(parcel(2)).error() == std::errc::operation_would_block);
    CHECK(!all.out.try_receive());
    all.permits.release();
    CHECK(all.permits.available() == 1);
    auto late = co_await cove::with_timeout(
        select(all.in.receive(), all.out.send(parcel(1))).as_result(), 1ms);
    CHECK(late.error() == cove::errc::deadline_exceeded);
    CHECK(!all.out.try_receive());
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("K17 a select that was granted before its cancellation gives what it got") {
  run_in(plain_options(1), []() -> task<> {
    channel<parcel> in(0);
    channel<parcel> out(0);
    auto waits = spawn(either, &in, &out, 1);
    co_await settle();
    CHECK(in.try_send(parcel(5)));
    waits.cancel();             // It is on its way already,
    CHECK(!out.try_receive());  // and passed over where it still stands.
    const std::size_t index = co_await waits;
    CHECK(index == 0);
  });
  CHECK(parcel::alive == 0);
}

TEST_CASE("a permit is not held up by a select that was served elsewhere") {
  run_in(plain_options(1), []() -> task<> {
    channel<int> in(0);
    cove::semaphore permits(0);
    auto chooser = spawn(
        [](channel<int>* from, cove::semaphore* wanted) -> task<std::size_t> {
          auto first = co_await select(from->receive(), wanted->acquire(3));
          co_return first.index();
        },
        &in, &permits);
    co_await settle();
    auto behind = spawn(
        [](cove::semaphore* wanted) -> task<> { static_cast<void>(co_await wanted->acquire()); },
        &permits);
    co_await settle();
    permits.release();
    co_await settle();
    CHECK(!behind.done());  // The select is before it, and wants more.
    CHECK(in.try_send(1));
    const std::size_t index = co_await chooser;
    CHECK(index == 0);
    co_await behind;
    CHECK(permits.available() == 1);
  });
}

TEST_CASE("no ready case starves another") {
  run_in(plain_options(1), []() -> task<> {
    constexpr int rounds = 3000;
    channel<int> one(1);
    channel<int> two(1);
    cove::event always(true);
    std::array<int, 4> times{};
    for (int i = 0; i < rounds; ++i) {
      static_cast<void>(one.try_send(i));
      static_cast<void>(two.try_send(i));
      auto first = co_await select(one.receive(), two.receive(), always.wait(), sleep_for(0s));
      ++times[first.index()];
    }
    for (const int each : times) CHECK(each > rounds / 8);
  });
}

TEST_CASE("M03 what a select waits for may be destroyed by the task that it has just woken") {
  struct place {
    channel<int> in{0};
    channel<int> out{0};
    cove::event happened;
  };
  run_in(plain_options(4), []() -> task<> {
    for (int i = 0; i < 300; ++i) {
      auto here = std::make_unique<place>();
      auto waker = spawn(
          [](place* at, int how) -> task<> {
            switch (how % 3) {
              case 0: at->happened.set(); break;
              case 1: at->in.close(); break;
              default: at->out.close(); break;
            }
            co_return;
          },
          here.get(), i);
      auto first =
          co_await select(here->in.receive(), here->out.send(1).as_result(), here->happened.wait());
      here.reset();  // The waker may still be on its way out.
      CHECK(first.index() == static_cast<std::size_t>((i + 2) % 3));
      co_await waker;
    }
  });
}

TEST_CASE("threads send into a select, receive from it, and may try one themselves") {
  run_in(plain_options(2), []() -> task<> {
    channel<int> there(0);
    channel<int> back(0);
    std::thread other([&there, &back] {
      for (int i = 0; i < 200; ++i) {
        there.send_blocking(i);
        CHECK(back.receive_blocking() == i + 1);
      }
      auto none = try_select(there.receive(), back.send(1), sleep_for(1h));
      CHECK(!none);
      there.close();
    });
    std::optional<int> answer;
    for (bool goes_on = true; goes_on;) {
      if (answer) {
        auto sent = co_await select(back.send(*answer), there.receive());
        CHECK(sent.index() == 0);
        answer.reset();
        continue;
      }
      auto first = co_await select(there.receive(), sleep_for(1h));
      CHECK(first.index() == 0);
      const auto& got = std::get<0>(first);
      goes_on = got.has_value();
      if (goes_on) answer = *got + 1;
    }
    other.join();
  });
}

}  // namespace
