#include <cove/runtime/lazy.hpp>

#include "support/runtime_test.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using cove::event;
using cove::join_handle;
using cove::lazy;
using cove::spawn;
using cove::task;
using cove::test::plain_options;
using cove::test::run_in;

task<std::string> make_text() {
  co_await cove::this_task::yield();
  co_return "made";
}

task<std::string> make_nothing() {
  co_await cove::this_task::yield();
  throw std::runtime_error("nothing to make");
}

task<const std::string*> ask(lazy<std::string>* of) {
  std::string& text = co_await of->get(make_text);
  co_return &text;
}

TEST_CASE("a lazy value is made when it is asked for, and once") {
  run_in(plain_options(4), []() -> task<> {
    lazy<std::string> text;
    CHECK(text.peek() == nullptr);
    std::vector<join_handle<const std::string*>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(spawn(ask, &text));
    for (auto& each : tasks) {
      const std::string* seen = co_await each;
      CHECK(seen == text.peek());
      CHECK(*seen == "made");
    }
  });
}

TEST_CASE("an attempt that fails makes nothing, and the next one tries again") {
  run_in(plain_options(1), []() -> task<> {
    lazy<std::string> text;
    bool failed = false;
    try {
      co_await text.get(make_nothing);
    } catch (const std::runtime_error&) {
      failed = true;
    }
    CHECK(failed);
    CHECK(text.peek() == nullptr);
    std::string& made = co_await text.get(make_text);
    CHECK(made == "made");
  });
}

task<std::string> make_when(event* told) {
  co_await told->wait();
  co_return "made";
}

task<> make_and_check(lazy<std::string>* of, event* told) {
  const auto make = [told] { return make_when(told); };
  std::string& text = co_await of->get(make);
  CHECK(text == "made");
}

TEST_CASE("K17 if the one who makes it is cancelled, one who waits makes it") {
  run_in(plain_options(1), []() -> task<> {
    lazy<std::string> text;
    event told;
    auto first = spawn(make_and_check, &text, &told);
    co_await cove::this_task::yield();
    auto second = spawn(make_and_check, &text, &told);
    co_await cove::this_task::yield();
    first.cancel();
    auto ended = co_await first.as_result();
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK(text.peek() == nullptr);
    told.set();
    co_await second;
    CHECK(text.peek() != nullptr);
  });
}

}  // namespace
