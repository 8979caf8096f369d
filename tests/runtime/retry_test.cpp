#include <cove/runtime/retry.hpp>

#include "support/runtime_test.hpp"

#include <stdexcept>

namespace {

using cove::join_handle;
using cove::retry;
using cove::retry_policy;
using cove::task;
using cove::with_timeout;
using cove::test::code_of;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;

constexpr retry_policy quick{.attempts = 4, .first_delay = 1ms, .most_delay = 2ms};

[[noreturn]] void refuse() {
  throw cove::error(std::make_error_code(std::errc::connection_refused), "expected");
}
const auto if_refused = [](std::error_code code) { return code == std::errc::connection_refused; };

TEST_CASE("retry tries until it succeeds") {
  run_in(plain_options(), []() -> task<> {
    int calls = 0;
    const auto third_time = [&calls]() -> task<int> {
      co_await cove::this_task::yield();
      if (++calls < 3) refuse();
      co_return calls;
    };
    const int got = co_await retry(quick, third_time);
    CHECK(got == 3);
    const auto nothing = []() -> task<> { co_return; };
    co_await retry(quick, nothing);
  });
}

TEST_CASE("retry throws the failure of the last attempt") {
  run_in(plain_options(), []() -> task<> {
    int calls = 0;
    const auto never = [&calls]() -> task<> {
      ++calls;
      refuse();
      co_return;
    };
    const std::error_code code = co_await code_of(retry(quick, never, if_refused));
    CHECK(code == std::errc::connection_refused);
    CHECK(calls == 4);
  });
}

TEST_CASE("retry leaves alone what it is not told to try again") {
  run_in(plain_options(), []() -> task<> {
    int calls = 0;
    const auto reset = [&calls]() -> task<> {
      ++calls;
      throw cove::error(std::make_error_code(std::errc::connection_reset), "expected");
      co_return;
    };
    const std::error_code code = co_await code_of(retry(quick, reset, if_refused));
    CHECK(code == std::errc::connection_reset);
    CHECK(calls == 1);
    const auto bug = [&calls]() -> task<> {
      ++calls;
      throw std::logic_error("expected");
      co_return;
    };
    bool caught = false;
    try {
      co_await retry(quick, bug);
    } catch (const std::logic_error&) {
      caught = true;
    }
    CHECK(caught);
    CHECK(calls == 2);
  });
}

TEST_CASE("retry never swallows a cancellation, in an attempt or in a delay") {
  run_in(plain_options(1), []() -> task<> {
    int calls = 0;
    const auto waits = [&calls]() -> task<> {
      ++calls;
      co_await forever();
    };
    const auto fails = [&calls]() -> task<> {
      ++calls;
      refuse();
      co_return;
    };
    const auto fails_when_asked = [&calls]() -> task<> {
      ++calls;
      static_cast<void>(co_await forever().as_result());
      refuse();
    };
    const retry_policy slow{.first_delay = 1h, .most_delay = 1h};
    join_handle<> waiting = cove::spawn([&] { return retry(quick, waits); });
    join_handle<> delayed = cove::spawn([&] { return retry(slow, fails); });
    join_handle<> hiding = cove::spawn([&] { return retry(slow, fails_when_asked); });
    co_await cove::this_task::yield();
    CHECK(calls == 3);
    waiting.cancel();
    delayed.cancel();
    hiding.cancel();
    const auto first = co_await waiting.as_result();
    const auto second = co_await delayed.as_result();
    const auto third = co_await hiding.as_result();
    CHECK(first.error() == std::errc::operation_canceled);
    CHECK(second.error() == std::errc::operation_canceled);
    CHECK(third.error() == std::errc::connection_refused);
    CHECK(calls == 3);
  });
}

TEST_CASE("a limit of an attempt is tried again, one around retry is not") {
  run_in(plain_options(), []() -> task<> {
    int calls = 0;
    const auto slow = [&calls]() -> task<> {
      ++calls;
      return with_timeout(forever(), 1ms);
    };
    std::error_code code = co_await code_of(retry(quick, slow));
    CHECK(code == cove::errc::deadline_exceeded);
    CHECK(calls == 4);
    calls = 0;
    const auto endless = [&calls]() -> task<> {
      ++calls;
      return forever();
    };
    code = co_await code_of(with_timeout(retry(quick, endless), 2ms));
    CHECK(code == cove::errc::deadline_exceeded);
    CHECK(calls == 1);
  });
}

TEST_CASE("delays grow to their bound, and chance only shortens them") {
  const retry_policy growing{
      .attempts = 6, .first_delay = 10ms, .most_delay = 50ms, .factor = 2, .jitter = 0};
  cove::detail::backoff exact(growing);
  for (const auto expected : {10ms, 20ms, 40ms, 50ms, 50ms}) {
    CHECK_FALSE(exact.exhausted());
    CHECK(exact.next() == expected);
  }
  CHECK(exact.exhausted());

  retry_policy shaken = growing;
  shaken.attempts = 1001;
  shaken.factor = 1;
  shaken.jitter = 0.5;
  cove::detail::backoff random(shaken);
  std::chrono::nanoseconds shortest = 1h, longest = 0ms;
  for (int i = 0; i < 1000; ++i) {
    const std::chrono::nanoseconds delay = random.next();
    shortest = std::min(shortest, delay);
    longest = std::max(longest, delay);
  }
  CHECK(shortest >= 5ms);
  CHECK(longest <= 10ms);
  CHECK(longest - shortest > 3ms);
}

TEST_CASE("a policy that makes no sense is refused") {
  const retry_policy bad[] = {{.attempts = 0}, {.first_delay = -1ms}, {.most_delay = -1ms},
                              {.factor = 0.5}, {.jitter = 1.5},       {.jitter = -1}};
  for (const retry_policy& each : bad) CHECK_THROWS_AS(cove::detail::backoff{each}, cove::error);
}

}  // namespace
