#include <cove/io/signal_set.hpp>

#include "support/forked_child.hpp"
#include "support/net_test.hpp"

#include <csignal>

// Signals are sent to this very process, so each test takes them over first: by a set, or
// by the handler that counts.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::io::signal_set;

constexpr int one = SIGUSR1;
constexpr int other = SIGUSR2;
const auto defaults = reinterpret_cast<std::uintptr_t>(SIG_DFL);

std::atomic<int> old_effects{0};

/// What the two signals do outside of any set: they are counted. As it was, at the end.
class counted_signals {
 public:
  counted_signals() {
    old_effects = 0;
    struct sigaction count{};
    count.sa_handler = [](int) { ++old_effects; };
    ::sigaction(one, &count, &one_before_);
    ::sigaction(other, &count, &other_before_);
  }
  counted_signals(const counted_signals&) = delete;
  counted_signals& operator=(const counted_signals&) = delete;
  ~counted_signals() {
    ::sigaction(one, &one_before_, nullptr);
    ::sigaction(other, &other_before_, nullptr);
  }

 private:
  struct sigaction one_before_;
  struct sigaction other_before_;
};

/// SIGHUP ends the process, as by default; under nohup it is ignored.
class fatal_hangup {
 public:
  fatal_hangup() : before_(std::signal(SIGHUP, SIG_DFL)) {}
  fatal_hangup(const fatal_hangup&) = delete;
  fatal_hangup& operator=(const fatal_hangup&) = delete;
  ~fatal_hangup() { static_cast<void>(std::signal(SIGHUP, before_)); }

 private:
  void (*before_)(int);
};

/// A number to compare; doctest cannot print functions.
std::uintptr_t handler_of(int number) {
  struct sigaction now{};
  REQUIRE(::sigaction(number, nullptr, &now) == 0);
  return reinterpret_cast<std::uintptr_t>(now.sa_handler);
}

task<int> wait_for(signal_set* signals) { co_return co_await signals->wait(); }

std::string refusal_of(std::vector<int> numbers) {
  try {
    const signal_set signals{std::span<const int>(numbers)};
  } catch (const cove::error& failure) {
    CHECK(failure.code() == std::errc::invalid_argument);
    return failure.what();
  }
  return "taken";
}

}  // namespace

TEST_CASE("G03 signals are kept until somebody waits, in their order, each of them once") {
  run_test([]() -> task<> {
    signal_set signals(one, other);
    for (const int number : numbers(other, one, other, one, one)) ::raise(number);
    const int first = co_await signals.wait();
    const int second = co_await signals.wait();
    CHECK(first == other);
    CHECK(second == one);
    auto third = cove::spawn(wait_for, &signals);
    co_await until_waiting("signal");
    ::raise(other);
    const int last = co_await third;
    CHECK(last == other);
  });
}

TEST_CASE("G03 a task that waits hears every signal that comes after it began to") {
  run_test([]() -> task<> {
    signal_set signals(one, other);
    for (int round = 0; round < 50; ++round) {
      const int sent = round % 3 == 0 ? other : one;
      auto waits = cove::spawn(wait_for, &signals);
      co_await until_waiting("signal");
      ::kill(::getpid(), sent);
      const int heard = co_await waits;
      CHECK(heard == sent);
    }
  });
}

TEST_CASE("G01 every set that names a signal hears it, and one that goes disturbs nobody") {
  run_test([]() -> task<> {
    signal_set both(one, other);
    signal_set alone(one, one);
    {
      signal_set passing(other, one);
      ::raise(one);
      for (signal_set* each : std::array{&both, &alone, &passing}) {
        const int heard = co_await each->wait();
        CHECK(heard == one);
      }
    }
    ::raise(other);
    ::raise(one);
    const int first = co_await both.wait();
    const int second = co_await both.wait();
    const int third = co_await alone.wait();
    CHECK(first == other);
    CHECK(second == one);
    CHECK(third == one);
  });
}

TEST_CASE("G02 sets of several runtimes hear the same signal") {
  const same_descriptors outside;
  cove::runtime near(net_options());
  cove::runtime far(net_options());
  const clean_end near_end(near);
  const clean_end far_end(far);
  signal_set early(one);  // Made outside of any runtime.
  auto hear = [](std::atomic<bool>* ready) -> task<int> {
    signal_set signals(one);
    ready->store(true);
    const int number = co_await signals.wait();
    co_return number;
  };
  std::atomic<bool> near_ready{false};
  std::atomic<bool> far_ready{false};
  auto first = near.spawn(hear, &near_ready);
  auto second = far.spawn(hear, &far_ready);
  auto third = far.spawn(wait_for, &early);
  REQUIRE(thread_waits_for([&] { return near_ready.load() && far_ready.load(); }));
  ::raise(one);
  CHECK(near.wait(std::move(first)) == one);
  CHECK(far.wait(std::move(second)) == one);
  CHECK(far.wait(std::move(third)) == one);

  try {
    near.block_on(wait_for, &early);
    FAIL("a set of another runtime was waited for");
  } catch (const cove::error& failure) {
    CHECK(failure.code() == cove::errc::wrong_runtime);
  }
}

TEST_CASE("G04 what a signal did before is restored when the last set that names it goes") {
  const counted_signals counted;
  const auto counting = handler_of(one);
  {
    std::optional<signal_set> first(std::in_place, one);
    CHECK(handler_of(one) != counting);
    CHECK(handler_of(other) == counting);
    std::optional<signal_set> second(std::in_place, other, one);
    CHECK(handler_of(other) != counting);
    first.reset();
    CHECK(handler_of(one) != counting);
    second.reset();
    CHECK(handler_of(one) == counting);
    CHECK(handler_of(other) == counting);
  }
  ::signal(one, SIG_IGN);
  {
    const signal_set again(one);
  }
  CHECK(handler_of(one) == reinterpret_cast<std::uintptr_t>(SIG_IGN));
  {
    const signal_set replaced(one);
    ::signal(one, reinterpret_cast<void (*)(int)>(counting));
  }
  CHECK(handler_of(one) == counting);  // Whoever came later knows better.
  CHECK(handler_of(SIGPIPE) == defaults);
}

TEST_CASE("G05 a signal that nobody took has its old effect when the last set goes") {
  const counted_signals counted;
  run_test([]() -> task<> {
    {
      signal_set taken(one);
      {
        const signal_set silent(one, other);
        ::raise(one);
        ::raise(other);
        ::raise(other);
        CHECK(old_effects == 0);
      }
      CHECK(old_effects == 1);  // `other`, once.
      const int number = co_await taken.wait();
      CHECK(number == one);
    }
    CHECK(old_effects == 1);
    ::raise(one);
    CHECK(old_effects == 2);
  });
}

TEST_CASE("G05 a signal that comes while its last set goes is not lost") {
  const counted_signals counted;
  constexpr int rounds = 2'000;
  std::atomic<int> sent{0};
  std::atomic<int> allowed{0};
  std::thread sender([&] {
    for (int round = 1; round <= rounds; ++round) {
      while (allowed.load() < round) std::this_thread::yield();
      ::raise(one);
      sent.store(round);
    }
  });
  for (int round = 1; round <= rounds; ++round) {
    std::optional<signal_set> going(std::in_place, one);
    allowed.store(round);
    for (int turns = round % 7; turns > 0; --turns) std::this_thread::yield();
    going.reset();
    while (sent.load() < round) std::this_thread::yield();
  }
  sender.join();
  CHECK(old_effects == rounds);
}

TEST_CASE("G05 the second signal ends a program whose set has gone") {
  const fatal_hangup as_by_default;
  CHECK(outcome_in_child([] {
          {
            const signal_set signals(SIGHUP);
          }
          ::raise(SIGHUP);
        }) == -SIGHUP);
  CHECK(outcome_in_child([] {
          const signal_set signals(SIGHUP);
          ::raise(SIGHUP);
          ::_exit(0);
        }) == 0);
  CHECK(outcome_in_child([] {
          {
            const signal_set signals(SIGINT, SIGHUP);
            ::raise(SIGHUP);
          }
        }) == -SIGHUP);
}

TEST_CASE("G06 G07 a storm of signals loses neither the last one nor a byte of others' work") {
  const counted_signals counted;  // The last one may come after the set has gone.
  constexpr int storm = 10'000;
  run_test([]() -> task<> {
    stream_pair link = co_await make_streams();
    std::atomic<bool> over{false};
    auto echo = [](cove::net::tcp_stream* stream) -> task<> {
      std::array<std::byte, 1000> buffer;
      while (const std::size_t n = co_await stream->read_some(buffer))
        co_await stream->write_all(std::span(buffer).first(n));
    };
    auto talk = [](cove::net::tcp_stream* stream, std::atomic<bool>* until) -> task<int> {
      int exchanged = 0;
      std::string back(3000, '\0');
      for (std::size_t from = 0; !until->load() || exchanged < 100; from += 7, ++exchanged) {
        const std::string sent = pattern(back.size(), from);
        co_await stream->write_all(bytes_of(sent));
        co_await stream->read_exact(std::as_writable_bytes(std::span(back)));
        if (back != sent) FAIL("a byte is wrong");
        co_await cove::this_task::sleep_for(10us);
      }
      stream->shutdown_write();
      co_return exchanged;
    };
    signal_set signals(one);
    auto echoing = cove::spawn(echo, &link.far);
    auto talking = cove::spawn(talk, &link.near, &over);
    std::atomic<int> sent{0};
    std::thread sender([&sent] {
      const pid_t me = ::getpid();
      const pid_t child = ::fork();  // The first half comes from another process.
      if (child == 0) {
        for (int i = 0; i < storm / 2; ++i) ::kill(me, one);
        ::_exit(0);
      }
      int status = 0;
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      for (int i = storm / 2; i < storm; ++i) {
        sent.store(i + 1);
        ::kill(me, one);
      }
    });
    int heard = 0;
    do {  // Only a report of the last one ends this.
      const int number = co_await signals.wait();
      if (number == one) ++heard;
    } while (sent.load() < storm);
    over.store(true);
    const int exchanged = co_await talking;
    co_await echoing;
    sender.join();
    CHECK(heard > 0);
    CHECK(exchanged >= 100);
  });
}

TEST_CASE("G08 numbers that nobody can wait for are refused by name") {
  const fatal_hangup as_by_default;
  const same_descriptors outside;
  CHECK(refusal_of({}).find("at least one") != std::string::npos);
  for (const int number : {0, -1, 65, 1000, 32})
    CHECK(refusal_of({SIGHUP, number}).find("signal_set " + std::to_string(number) + ": ") == 0);
  CHECK(refusal_of({SIGKILL}).find("SIGKILL") != std::string::npos);
  CHECK(refusal_of({SIGSTOP}).find("SIGSTOP") != std::string::npos);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    CHECK(refusal_of({number}).find("stop the thread") != std::string::npos);
  CHECK(handler_of(SIGHUP) == defaults);
  CHECK(refusal_of({SIGRTMIN, SIGRTMAX, SIGHUP, SIGTERM, SIGCHLD, SIGWINCH}) == "taken");
}

TEST_CASE("a wait for a signal is cancelled, timed and refused like any other") {
  run_test([]() -> task<> {
    signal_set signals(one);
    const auto late = co_await cove::with_timeout(signals.wait().as_result(), 1ms);
    CHECK(late.error() == cove::errc::deadline_exceeded);

    auto waits = cove::spawn(wait_for, &signals);
    co_await until_waiting("signal");
    const auto second = co_await signals.wait().as_result();
    CHECK(second.error() == cove::errc::operation_in_progress);
    const std::string told = co_await outcome_of(signals.wait());
    CHECK(told.find("one task waits") != std::string::npos);
    waits.cancel();
    const std::string ended = co_await outcome_of(std::move(waits));
    CHECK(ended == "canceled");

    ::raise(one);
    auto raced = co_await cove::race(signals.wait(), forever());
    CHECK(raced.index == 0);
    CHECK(std::get<0>(raced.results).value() == one);
    const auto nothing = co_await cove::with_timeout(signals.wait().as_result(), 1ms);
    CHECK(nothing.error() == cove::errc::deadline_exceeded);
  });
}

TEST_CASE("a signal and a cancel in the same moment: the signal is given once, then or later") {
  run_test([]() -> task<> {
    signal_set signals(one);
    int early = 0;
    for (int round = 0; round < 500; ++round) {
      auto waits = cove::spawn(wait_for, &signals);
      if (round % 2 == 0) co_await cove::this_task::yield();
      std::thread sender([] { ::kill(::getpid(), one); });
      waits.cancel();
      auto first = co_await waits.as_result();
      sender.join();
      if (first)
        ++early;
      else
        co_await signals.wait();  // It hangs if the signal was lost.
      const auto twice = co_await cove::with_timeout(signals.wait().as_result(), 0ms);
      CHECK_FALSE(twice);
    }
    CHECK(early <= 500);
  });
}

TEST_CASE("a forked child hears nothing by its parent's sets, and may have its own") {
  // Forked while there is no other thread: of others, sanitizers want to know nothing.
  const same_descriptors outside;
  const fatal_hangup as_by_default;
  signal_set signals(SIGHUP);
  CHECK(outcome_in_child([] { ::raise(SIGHUP); }) == -SIGHUP);
  CHECK(outcome_in_child([] {
          std::optional<signal_set> own(std::in_place, one);
          ::raise(one);
          own.reset();
        }) == -one);
  CHECK(outcome_in_child([] {
          const signal_set own(one);
          ::raise(one);
          ::raise(SIGHUP);
        }) == -SIGHUP);
  const auto hear = [&signals]() -> task<> {
    const auto nothing = co_await cove::with_timeout(signals.wait().as_result(), 1ms);
    CHECK(nothing.error() == cove::errc::deadline_exceeded);
    ::raise(SIGHUP);
    const int number = co_await signals.wait();
    CHECK(number == SIGHUP);
  };
  cove::runtime(net_options()).block_on(hear);
}
