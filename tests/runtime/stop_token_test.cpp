#include <cove/runtime/stop_token.hpp>

#include "support/runtime_test.hpp"

namespace {

using cove::cancel_on;
using cove::semaphore;
using cove::task;
using cove::test::code_of;
using cove::test::forever;
using cove::test::plain_options;
using cove::test::run_in;

task<> waits(semaphore* here) {
  here->release();
  co_await forever();
}

TEST_CASE("a stop token ends what runs under it, and nothing else") {
  for (const unsigned workers : {1U, 4U}) {
    run_in(plain_options(workers), []() -> task<> {
      for (int round = 0; round < 50; ++round) {
        std::stop_source source;
        semaphore here(0);
        auto inside = cove::spawn(
            [](std::stop_token token, semaphore* told) -> task<bool> {
              const std::error_code code = co_await code_of(cancel_on(token, waits(told)));
              const bool free = !cove::this_task::stop_requested();
              co_await cove::this_task::yield();
              co_return free&& code == std::errc::operation_canceled;
            },
            source.get_token(), &here);
        auto told = co_await here.acquire();
        static_cast<void>(told.forget());
        std::thread elsewhere([&source] { source.request_stop(); });
        const bool ended = co_await inside;
        elsewhere.join();
        CHECK(ended);
      }
    });
  }
}

TEST_CASE("K20 a token that was stopped before ends the first wait, and only a wait") {
  run_in(plain_options(1), []() -> task<> {
    std::stop_source source;
    source.request_stop();
    const std::error_code code = co_await code_of(cancel_on(source.get_token(), forever()));
    CHECK(code == std::errc::operation_canceled);
    const auto reported = co_await cancel_on(source.get_token(), forever().as_result());
    CHECK(reported.error() == std::errc::operation_canceled);
    const auto computing = []() -> task<int> { co_return 3; };
    const int got = co_await cancel_on(source.get_token(), computing());
    CHECK(got == 3);
  });
}

TEST_CASE("a token that is never stopped, or of nobody, is none") {
  run_in(plain_options(1), []() -> task<> {
    const auto computing = []() -> task<int> {
      co_await cove::this_task::yield();
      co_return 3;
    };
    const std::stop_source source;
    const int first = co_await cancel_on(source.get_token(), computing());
    const int second = co_await cancel_on(std::stop_token(), computing());
    CHECK(first + second == 6);
  });
}

TEST_CASE("what runs under a token may stop it itself") {
  run_in(plain_options(2), []() -> task<> {
    std::stop_source source;
    const auto itself = [](std::stop_source* which) -> task<> {
      which->request_stop();
      CHECK(cove::this_task::stop_requested());
      co_await forever();
    };
    const std::error_code code = co_await code_of(cancel_on(source.get_token(), itself(&source)));
    CHECK(code == std::errc::operation_canceled);
  });
}

TEST_CASE("a token that is stopped while its operation ends does no harm") {
  run_in(plain_options(2), [](cove::runtime& in) {
    for (int round = 0; round < 300; ++round) {
      std::stop_source source;
      std::atomic<bool> go{false};
      std::thread stops([&] {
        go = true;
        for (int i = 0; i < round % 50; ++i) std::this_thread::yield();
        source.request_stop();
      });
      const auto spins = [](int times) -> task<> {
        for (int i = 0; i < times; ++i) co_await cove::this_task::yield();
      };
      CHECK(cove::test::thread_waits_for([&go] { return go.load(); }));
      in.block_on([&]() -> task<> {
        static_cast<void>(co_await code_of(cancel_on(source.get_token(), spins(round % 20))));
        co_await cove::this_task::yield();
      });
      stops.join();
    }
  });
}

}  // namespace
