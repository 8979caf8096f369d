#include <cove/runtime/detail/cancel.hpp>
#include <cove/runtime/detail/parking_word.hpp>
#include <cove/runtime/error.hpp>

#include "clock.hpp"

#include <doctest/doctest.h>

#include <functional>

// The parking word, with the scopes that it sends its owner to (cancel.cpp), under the loop that
// drives them (sched/dispatch.cpp). Whatever comes together, the task goes on exactly once, with
// what was said of it, and no two threads have it at a time.

// What cancel.cpp asks of the rest of the library.
namespace cove {
std::error_code make_error_code(errc) noexcept { return {}; }
namespace detail {
std::int64_t now_ns() noexcept { return 0; }
}  // namespace detail
}  // namespace cove

namespace {

using cove::detail::atomic;
using cove::detail::cancel_scope;
using cove::detail::parking_word;
using cove::detail::stop_reason;
using cove::detail::task_ctl;
using cove::detail::task_list;
using outcome = parking_word::outcome;
using stepping::execution;
using stepping::plain;
using stepping::require;
using stepping::walk;

/// One task that waits for one operation.
struct wait {
  enum : int { idle, armed, fired, withdrawn };

  task_ctl task;
  cancel_scope scope;
  const bool can_withdraw;  ///< At once, as on a readiness backend.
  atomic<int> operation{idle};
  plain<int> result{0};

  /// The run queue: how often the task is in it. Its lock orders who pushes and who pops.
  atomic<int> queued{0};
  plain<int> frame{0};  ///< What only the owner of the task touches, or the one who queues it.
  bool resumed = false;
  stop_reason refused = stop_reason::none;

  explicit wait(bool withdraws) : can_withdraw(withdraws) { enter_scope(task, scope); }

  void own() { frame.set(frame.get() + 1); }
  void schedule() {
    own();
    queued.fetch_add(1, std::memory_order_release);
  }

  // ----- the worker -----

  void await() {
    own();
    operation.store(armed, std::memory_order_release);
    bool final = drive();
    while (!final) {
      stepping::wait_until([this] { return queued.newest() != 0; });
      queued.fetch_sub(1, std::memory_order_acquire);
      own();
      bool completed = true;
      if (task.word.claimed()) {
        if (!settle(completed)) continue;
        if (refused != stop_reason::none) break;
      }
      // As the next advance() would: the operation says that it has ended.
      require(operation.load(std::memory_order_relaxed) == fired, "woken for nothing");
      final = true;
    }
    if (refused == stop_reason::none) require(result.get() == 1, "completed without its result");
    require(!resumed, "resumed twice");
    resumed = true;
    own();
    task.word.end_operation();
  }

  bool withdraw() {
    int expected = armed;
    return can_withdraw &&
           operation.compare_exchange_strong(expected, withdrawn, std::memory_order_acq_rel);
  }
  /// sched/dispatch.cpp, drive(): true if it is final.
  bool drive() {
    for (bool mask = false;;) {
      const outcome now = task.word.park(mask);
      if (now == outcome::parked) return false;
      if (now == outcome::completed) return true;
      const stop_reason why = look(task);
      if (why == stop_reason::none) continue;
      if (withdraw()) return refused = why, true;
      mask = true;
    }
  }
  /// sched/dispatch.cpp, settle(): false if it is parked again.
  bool settle(bool& completed) {
    for (;;) {
      const stop_reason why = look(task);
      if (why == stop_reason::none) {
        const outcome now = task.word.unclaim();
        if (now == outcome::requested) continue;
        completed = true;
        return now == outcome::completed;
      }
      if (withdraw()) return task.word.take(), refused = why, completed = false, true;
      return completed = true, !task.word.remask();
    }
  }

  // ----- others -----

  void complete() {
    stepping::wait_until([this] { return operation.newest() != idle; });
    int expected = armed;
    if (!operation.compare_exchange_strong(expected, fired, std::memory_order_acq_rel)) return;
    result.set(1);
    if (task.word.complete()) schedule();
  }
  void cancel() {
    task_list woken;
    trigger(scope, stop_reason::canceled, woken);
    if (woken.first != nullptr) schedule();
  }
};

stepping::report together(unsigned departures, bool withdraws, bool completes, bool cancels,
                          bool stale_request) {
  return walk({.departures = departures}, [&](execution& e) {
    wait w(withdraws);
    if (stale_request) w.task.word.ask(parking_word::request);
    e.thread([&] { w.await(); });
    if (completes) e.thread([&] { w.complete(); });
    if (cancels) e.thread([&] { w.cancel(); });
    e.run();
    require(w.resumed, "it never went on");
    require(w.queued.newest() == 0, "queued once more than it went on");
    w.task.word.forget_request();
    require(!w.task.word.claimed(), "the next wait begins claimed");
    require(w.task.word.park(false) == outcome::parked, "the next wait begins completed");
    if (!completes) require(w.refused == stop_reason::canceled, "refused for another reason");
  });
}

TEST_CASE("a task goes on once when it parks as its operation completes") {
  CHECK(together(5, true, true, false, false).failure == "");
}

TEST_CASE("a task goes on once when it parks as it is canceled") {
  CHECK(together(5, true, false, true, false).failure == "");
}

TEST_CASE("a task goes on once when it is completed and canceled as it parks") {
  CHECK(together(3, true, true, true, false).failure == "");
}

TEST_CASE("a canceled task waits for an operation that cannot be taken back") {
  CHECK(together(3, false, true, true, false).failure == "");
}

TEST_CASE("an old request without a reason hides no new one, and holds up no completion") {
  CHECK(together(5, true, false, true, true).failure == "");
  CHECK(together(5, true, true, false, true).failure == "");
  CHECK(together(2, false, true, true, true).failure == "");
}

TEST_CASE("a request that came to nothing while the task was parked leaves it parked") {
  const auto found = walk({.departures = 3}, [](execution& e) {
    wait w(true);
    e.thread([&] { w.await(); });
    e.thread([&] { w.complete(); });
    e.thread([&] {
      if (w.task.word.ask(parking_word::request)) w.schedule();
    });
    e.run();
    require(w.resumed && w.refused == stop_reason::none && w.queued.newest() == 0, "it was lost");
  });
  CHECK(found.failure == "");
}

TEST_CASE("a masked task is claimed by nobody, and completed all the same") {
  for (const bool again : {false, true}) {
    const auto found = walk({.departures = 4}, [&](execution& e) {
      parking_word word;
      bool claimed = false, woken = false;
      if (again) {
        require(word.park(false) == outcome::parked && word.ask(parking_word::request), "refused");
        require(word.remask(), "it was completed by nobody");
      } else {
        require(word.park(true) == outcome::parked, "it was asked by nobody");
      }
      e.thread([&] { claimed = word.ask(parking_word::request); });
      e.thread([&] { woken = word.complete(parking_word::closed); });
      e.run();
      require(!claimed && woken, "it was claimed, or not woken");
      require(word.asked(parking_word::request), "the request is gone");
      require(word.asked(parking_word::closed), "what came with the completion is gone");
      word.end_operation();
      require(!word.asked(parking_word::closed), "what came with the completion stays");
    });
    CHECK(found.failure == "");
  }
}

TEST_CASE("what comes with a completion is kept although nobody waits yet") {
  const auto found = walk({}, [](execution& e) {
    parking_word word;
    e.thread([&] { require(!word.complete(parking_word::deadline), "nobody waits"); });
    e.run();
    require(word.asked(parking_word::deadline), "it is gone");
    require(word.park(false) == outcome::completed, "the completion is gone");
  });
  CHECK(found.failure == "");
}

TEST_CASE("two who ask together claim the task once") {
  const auto found = walk({.departures = 3}, [](execution& e) {
    wait w(true);
    e.thread([&] { w.await(); });
    e.thread([&] { w.cancel(); });
    e.thread([&] {
      if (w.task.word.ask(parking_word::request)) w.schedule();
    });
    e.run();
    require(w.resumed && w.queued.newest() == 0, "it was lost");
  });
  CHECK(found.failure == "");
}

}  // namespace
