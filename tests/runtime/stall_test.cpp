#include "support/runtime_test.hpp"

#include <condition_variable>
#include <mutex>
#include <vector>

// Tasks that keep their thread are told of: which, where, and what they do.

namespace {

using cove::runtime_options;
using cove::spawn;
using cove::stall_report;
using cove::task;
using cove::test::eventually;
using cove::test::patience;
using cove::test::run_in;
using std::chrono_literals::operator""ms;

/// What the callback was told.
class stalls {
 public:
  static void note(const stall_report& what, void* self) noexcept {
    static_cast<stalls*>(self)->add(what);
  }
  std::size_t count() const {
    const std::lock_guard guard(lock_);
    return seen_.size();
  }
  /// Of one task: a machine with much else to do makes others stall, too.
  std::vector<stall_report> of(std::uint64_t task) const {
    const std::lock_guard guard(lock_);
    return find(task);
  }
  /// Blocks the thread until so many were told, and one of them is of this task.
  bool wait_for(std::size_t goal, std::uint64_t task) const {
    std::unique_lock guard(lock_);
    return told_.wait_for(guard, patience,
                          [&] { return seen_.size() >= goal && !find(task).empty(); });
  }

 private:
  std::vector<stall_report> find(std::uint64_t task) const {  // Under lock_.
    std::vector<stall_report> found;
    for (const stall_report& each : seen_)
      if (each.task_id == task) found.push_back(each);
    return found;
  }
  void add(const stall_report& what) {
    const std::lock_guard guard(lock_);
    seen_.push_back(what);
    told_.notify_all();
  }

  mutable std::mutex lock_;
  mutable std::condition_variable told_;
  std::vector<stall_report> seen_;
};

runtime_options watched(stalls& by, unsigned workers = 2) {
  runtime_options options;
  options.workers = workers;
  options.stall_after = 20ms;
  options.on_stall = stalls::note;
  options.stall_context = &by;
  return options;
}

/// Blocks until its stall was told, and as many as `goal`.
task<> block(stalls* told, std::size_t goal) {
  cove::this_task::set_name("blocker");
  const bool in_time = told->wait_for(goal, cove::this_task::id());
  CHECK(in_time);
  co_return;
}
/// Blocks until the stall of another task was told.
task<> block_as_long(stalls* told, std::uint64_t as) {
  const bool in_time = told->wait_for(1, as);
  CHECK(in_time);
  co_return;
}
task<> compute(stalls* told) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (told->of(cove::this_task::id()).empty() && std::chrono::steady_clock::now() < until) {
  }
  co_return;
}

}  // namespace

TEST_CASE("M19 a task that blocks its thread is reported once, with number, name and place") {
  stalls told;
  run_in(watched(told), [&told]() -> task<> {
    auto blocked = spawn(block, &told, 1U);
    const std::uint64_t id = blocked.id();
    co_await blocked;
    const std::vector<stall_report> all = told.of(id);
    REQUIRE(all.size() == 1);
    CHECK(all[0].spawner == cove::this_task::id());
    CHECK(all[0].task.find("\"blocker\" (stall_test.cpp:") != std::string::npos);
    CHECK(all[0].blocked);
    CHECK(all[0].thread != 0);
    CHECK(all[0].lasted >= 20ms);
    CHECK(all[0].stack.empty());
    const std::string text = cove::to_string(all[0]);
    CHECK(text.find("without giving way: it blocks") != std::string::npos);
    CHECK(cove::runtime::current()->stats().stalls >= 1);
  });
}

TEST_CASE("M19 a task that computes is told from one that blocks") {
  stalls told;
  run_in(watched(told), [&told]() -> task<> {
    auto computed = spawn(compute, &told);
    const std::uint64_t id = computed.id();
    co_await computed;
    const std::vector<stall_report> all = told.of(id);
    REQUIRE(all.size() == 1);
    CHECK(all[0].task.find("\"compute\" (stall_test.cpp:") != std::string::npos);
    // A machine with much else to do may leave it no time at all.
    WARN_FALSE(all[0].blocked);
  });
}

TEST_CASE("M19 a stall is reported where no worker is free, and of a thread without a processor") {
  stalls told;
  runtime_options options = watched(told, 1);
  run_in(options, [&told]() -> task<> {
    std::vector<cove::join_handle<void>> all;
    for (int i = 0; i < 3; ++i) all.push_back(spawn(block, &told, 3U));
    for (auto& each : all) co_await each;
    CHECK(told.count() >= 3);
  });
}

TEST_CASE("M19 tasks that give way are not reported, however long they run") {
  stalls told;
  run_in(watched(told), [&told]() -> task<> {
    // On a machine with much else to do its thread may be kept waiting for that long, now and then.
    std::size_t reported = 1;
    for (int round = 0; round < 20 && reported != 0; ++round) {
      const std::size_t before = told.count();
      const auto until = std::chrono::steady_clock::now() + 100ms;
      while (std::chrono::steady_clock::now() < until) {
        for (int i = 0; i < 200; ++i) co_await cove::this_task::maybe_yield();
      }
      reported = told.count() - before;
    }
    CHECK(reported == 0);
  });
}

TEST_CASE("M19 without stall_after nobody is told") {
  stalls told;
  runtime_options options = watched(told);
  options.stall_after = 0ms;
  // How long that takes is told by another runtime, of which one is.
  stalls elsewhere;
  cove::runtime beside(watched(elsewhere));
  run_in(options, [&]() -> task<> {
    auto later = beside.spawn(block, &elsewhere, 1U);
    co_await spawn(block_as_long, &elsewhere, later.id());
    CHECK(cove::runtime::current()->stats().stalls == 0);
    co_await later;
  });
  CHECK(told.count() == 0);
}

TEST_CASE("M19 the stack of a stalled thread is part of the report, if that is asked for") {
  stalls told;
  runtime_options options = watched(told);
  options.stall_stacks = true;
  run_in(options, [&told]() -> task<> {
    std::string stack;
    // A thread that the machine keeps waiting does not answer in time.
    for (int round = 0; round < 20 && stack.empty(); ++round) {
      auto blocked = spawn(block, &told, 0U);
      const std::uint64_t id = blocked.id();
      co_await blocked;
      for (const stall_report& each : told.of(id)) stack = each.stack;
      if (cove::test::sanitized) co_return;  // There, signals wait for the end of a system call.
    }
    CHECK(stack.find("#0 ") != std::string::npos);
    CHECK(stack.find("block(") != std::string::npos);
  });
}

TEST_CASE("M19 stalls and the end of a runtime meet") {
  for (int i = 0; i < 20; ++i) {
    stalls told;
    runtime_options options = watched(told, 2);
    options.stall_after = 1ms;
    cove::runtime in(options);
    for (std::size_t n = 0; n < 4; ++n) static_cast<void>(in.spawn(block, &told, n % 2));
    if (i % 2 == 0) in.block_on(block, &told, std::size_t{1});
  }
}
