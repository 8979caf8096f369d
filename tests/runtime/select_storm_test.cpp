#include <cove/runtime/select.hpp>

#include "support/runtime_test.hpp"

#include <array>
#include <vector>

// Tasks that send and receive by selects, on channels with and without a ring, while others cancel
// them, close the channels and let time pass. Each message has a number, and each that was sent is
// received once.

namespace {

using cove::channel;
using cove::join_handle;
using cove::select;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;
using cove::this_task::sleep_for;
using std::chrono::microseconds;

constexpr int crowd = 8;

/// A message, which cannot be copied.
struct numbered {
  explicit numbered(int n) noexcept : number(n) {}
  numbered(numbered&& other) noexcept : number(std::exchange(other.number, -1)) {}
  numbered& operator=(numbered&&) = delete;
  ~numbered() = default;

  int number;
};

struct meeting_place {
  explicit meeting_place(int each) : each_sends(each), sent(messages()), received(messages()) {}

  std::size_t messages() const { return std::size_t{crowd} * static_cast<std::size_t>(each_sends); }

  void note(const std::optional<numbered>& got) {
    if (!got) return;
    ++received[static_cast<std::size_t>(got->number)];
    if (++received_in_all == messages()) all_received.set();
  }
  /// Takes out what nobody received.
  void drain() {
    for (auto* each : {&one, &two, &three})
      while (auto left = each->try_receive()) note(left);
  }
  bool balanced() const {
    for (std::size_t i = 0; i < messages(); ++i)
      if (sent[i] != received[i]) return false;
    return true;
  }
  channel<numbered>& some(int number) {
    return number % 3 == 0 ? one : number % 3 == 1 ? two : three;
  }
  void close() {
    for (auto* each : {&one, &two, &three}) each->close();
  }

  const int each_sends;
  std::vector<std::atomic<int>> sent;
  std::vector<std::atomic<int>> received;
  std::atomic<std::size_t> received_in_all{0};
  cove::event all_received;
  channel<numbered> one{0};
  channel<numbered> two{0};
  channel<numbered> three{2};
};

/// All of a crowd, each with numbers of its own to send.
std::vector<join_handle<>> spawn_crowd(task<> (*each)(meeting_place*, int), meeting_place* at) {
  std::vector<join_handle<>> all;
  all.reserve(crowd);
  for (int i = 0; i < crowd; ++i) all.push_back(spawn(each, at, i * at->each_sends));
  return all;
}

/// Notes what a select received, if it was its case `I`.
template <std::size_t I, class Outcome>
void note_if(meeting_place& at, Outcome& first) {
  if (first.index() == I) at.note(std::get<I>(first));
}

/// Sends its numbers, receives meanwhile, and goes on to receive until all have come.
task<> mingle(meeting_place* at, int from) {
  for (int i = from; i < from + at->each_sends; ++i) {
    auto offer = at->some(i).send(numbered(i));
    for (bool sent = false; !sent;) {
      auto first =
          co_await select(at->one.receive(), offer, at->two.receive(), at->three.receive());
      sent = first.index() == 1;
      note_if<0>(*at, first);
      note_if<2>(*at, first);
      note_if<3>(*at, first);
    }
    ++at->sent[static_cast<std::size_t>(i)];
  }
  for (bool over = false; !over;) {
    auto first = co_await select(at->one.receive(), at->two.receive(), at->three.receive(),
                                 at->all_received.wait());
    over = first.index() == 3;
    note_if<0>(*at, first);
    note_if<1>(*at, first);
    note_if<2>(*at, first);
  }
}

TEST_CASE("M16 a crowd that sends and receives by selects loses and doubles nothing") {
  for (const unsigned workers : {1U, 4U}) {
    run_in(plain_options(workers), []() -> task<> {
      meeting_place here(cove::test::sanitized ? 1'500 : 12'500);
      auto all = spawn_crowd(mingle, &here);
      for (auto& each : all) co_await each;
      CHECK(here.received_in_all == here.messages());
      CHECK(here.balanced());
      here.close();
    });
  }
}

/// As mingle(), until it is cancelled, told of a close, or has sent its numbers.
task<> mingle_in_danger(meeting_place* at, int from) {
  for (int i = from; i < from + at->each_sends; ++i) {
    auto offer = at->some(i).send(numbered(i)).as_result();
    for (bool sent = false; !sent;) {
      auto moment = sleep_for(microseconds(i % 7 * 20));
      auto first =
          co_await select(at->one.receive(), offer, moment, at->two.receive(), at->three.receive())
              .as_result();
      if (!first) {
        CHECK(!offer.moved());
        co_return;
      }
      sent = first->index() == 1;
      if (sent && !std::get<1>(*first)) {
        CHECK(std::get<1>(*first).unsent().number == i);
        co_return;
      }
      note_if<0>(*at, *first);
      note_if<3>(*at, *first);
      note_if<4>(*at, *first);
    }
    ++at->sent[static_cast<std::size_t>(i)];
  }
}

TEST_CASE("K17 M16 whoever is cancelled in a select, nothing is lost or doubled") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    cove::runtime_options options = plain_options(workers);
    options.tuning.entry_without_p = 3;  // Each third select begins only when its task is popped.
    run_in(std::move(options), []() -> task<> {
      for (int round = 0; round < 30; ++round) {
        meeting_place here(40);
        auto all = spawn_crowd(mingle_in_danger, &here);
        for (auto& each : all) {
          for (int i = 0; i < round; ++i) co_await cove::this_task::yield();
          each.cancel();
        }
        for (auto& each : all) static_cast<void>(co_await each.as_result());
        here.drain();
        CHECK(here.balanced());
      }
    });
  }
}

TEST_CASE("M16 whatever is closed among selects, nothing is lost or doubled") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), []() -> task<> {
      for (int round = 0; round < 30; ++round) {
        meeting_place here(40);
        auto all = spawn_crowd(mingle_in_danger, &here);
        for (int i = 0; i < 10 * round; ++i) co_await cove::this_task::yield();
        here.close();
        for (auto& each : all) co_await each;
        here.drain();
        CHECK(here.balanced());
      }
    });
  }
}

struct permits {
  cove::semaphore few{1};
  cove::semaphore more{3};
};

/// Takes what comes first, keeps it for a turn, and gives it back.
task<> take_either(permits* from) {
  for (int i = 0; i < 60; ++i) {
    auto first = co_await select(from->more.acquire(2), from->few.acquire(), from->more.acquire(1),
                                 sleep_for(microseconds(i)));
    co_await cove::this_task::yield();
  }
}

TEST_CASE("K17 M15 permits that selects take, pass over and give up are all there at the end") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    run_in(plain_options(workers), []() -> task<> {
      for (int round = 0; round < 20; ++round) {
        permits here;
        std::vector<join_handle<>> all;
        all.reserve(crowd);
        for (int i = 0; i < crowd; ++i) all.push_back(spawn(take_either, &here));
        for (std::size_t i = 0; i < crowd; i += 2) {
          for (int pause = 0; pause < round; ++pause) co_await cove::this_task::yield();
          all[i].cancel();
        }
        for (auto& each : all) static_cast<void>(co_await each.as_result());
        CHECK(here.few.available() == 1);
        CHECK(here.more.available() == 3);
      }
    });
  }
}

/// Hears a broadcast among other things. Gives how many messages it has heard of.
task<std::uint64_t> listen(cove::broadcast_receiver<int> ear, channel<int>* noise) {
  std::uint64_t heard = 0;
  for (;;) {
    auto first = co_await select(noise->receive(), ear.receive(), sleep_for(microseconds(30)));
    if (first.index() != 1) continue;
    const auto& message = std::get<1>(first);
    if (!message) co_return heard;
    heard += 1 + message->lost;
  }
}

TEST_CASE("M16 a select that does another case misses no message of a broadcast") {
  run_in(plain_options(4), []() -> task<> {
    cove::broadcast<int> news(4);
    channel<int> noise(0);
    std::vector<join_handle<std::uint64_t>> all;
    all.reserve(crowd);
    for (int i = 0; i < crowd; ++i) all.push_back(spawn(listen, news.subscribe(), &noise));
    for (int i = 0; i < 2'000; ++i) {
      news.send(i);
      static_cast<void>(noise.try_send(i));
      if (i % 8 == 0) co_await cove::this_task::yield();
    }
    news.close();
    for (auto& each : all) {
      const std::uint64_t heard = co_await each;
      CHECK(heard == 2'000);
    }
  });
}

TEST_CASE("K18 a limit that ends with a select's wait gives one outcome") {
  run_in(plain_options(4), []() -> task<> {
    for (int round = 0; round < 400; ++round) {
      meeting_place here(1);
      auto sender = spawn(
          [](meeting_place* at, int pause) -> task<> {
            co_await sleep_for(microseconds(pause));
            if (at->one.try_send(numbered(0))) ++at->sent[0];
          },
          &here, round % 60);
      auto choice = select(here.one.receive(), here.two.receive(), sleep_for(microseconds(50)));
      auto first =
          co_await cove::with_timeout(std::move(choice).as_result(), microseconds(round % 80));
      if (first) note_if<0>(here, *first);
      co_await sender;
      CHECK(here.balanced());
    }
  });
}

}  // namespace
