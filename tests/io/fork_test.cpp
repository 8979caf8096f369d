#include "support/forked_child.hpp"
#include "support/process_test.hpp"

// fork() without exec beside a runtime: what the child may do, and what the parent notices.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;

/// Some of everything: bytes, a timer, a call on the pool and a child.
task<> use_everything() {
  stream_pair link = co_await make_streams();
  co_await link.near.write_all(bytes_of("hello"));
  std::array<std::byte, 5> buffer{};
  co_await link.far.read_exact(buffer);
  CHECK(text_of(buffer) == "hello");
  co_await cove::this_task::sleep_for(1ms);
  const int number = co_await cove::blocking([] { return 7; });
  CHECK(number == 7);
  const std::string told = co_await written_by(command("echo", "hello"));
  CHECK(told == "hello\n");
}

bool works_in_a_new_runtime() {
  try {
    cove::runtime own(net_options());
    own.block_on(use_everything);
    return own.stop(patience);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

TEST_CASE("R10 a forked child that closes all that it got disturbs nothing of its parent") {
  run_children([]() -> task<> {
    linked link = co_await make_link();
    process child = co_await process::spawn(waiting_child());
    auto waits = cove::spawn(
        [](process* which) -> task<exit_status> { co_return co_await which->wait(); }, &child);
    co_await until_waiting("process");
    const int outcome = outcome_in_child([] {
      for (int fd = 3; fd < 1024; ++fd) ::close(fd);
    });
    CHECK(outcome == 0);
    co_await check_link(link.stream, link.peer);
    co_await use_everything();
    static_cast<void>(co_await child.in().close());
    const exit_status ended = co_await waits;
    CHECK(ended.success());
  });
}

TEST_CASE("R10 a forked child may make a runtime of its own") {
  // Forked while there is no other thread: of others, sanitizers want to know nothing.
  CHECK(works_in_a_new_runtime());
  CHECK(outcome_in_child([] { ::_exit(works_in_a_new_runtime() ? 0 : 1); }) == 0);
  CHECK(works_in_a_new_runtime());
}

TEST_CASE("R10 so it may beside its parent's runtime, which it leaves alone") {
  if (sanitized) return;  // They refuse threads in a child that was forked beside others.
  cove::runtime parents(net_options());
  parents.block_on(use_everything);
  CHECK(outcome_in_child([] { ::_exit(works_in_a_new_runtime() ? 0 : 1); }) == 0);
  parents.block_on(use_everything);
  CHECK(parents.stop(patience));
}
