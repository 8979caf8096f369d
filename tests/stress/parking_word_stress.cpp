#include <cove/runtime/detail/parking_word.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "support/stress.hpp"

// One task a round. Its worker drives it as sched/dispatch.cpp does; a completer ends its
// operation, with or without the bit of a closed descriptor, a canceller asks the task to end, a
// timer asks the operation, each on a thread of its own or the first two on one. Threads go through
// the rounds in the same order without waiting for one another at their ends, so the encounters
// shift by themselves.

namespace {

using cove::detail::parking_word;
using outcome = parking_word::outcome;

/// Where the operation stands. Readiness: whoever takes it out of `armed` owes the completion.
enum class slot : std::uint8_t { idle, armed, taken };

struct round {
  // Constant during the round.
  unsigned needs = 1;      ///< Completions until the operation is final.
  bool in_kernel = false;  ///< A withdrawal only asks for the completion.
  bool cancels = false;
  bool moot = false;  ///< Asks without a reason: the scope was not meant.
  unsigned asks = 1;  ///< How often; with two, only the second may have a reason.
  bool masked = false;
  bool early = false;  ///< The canceller does not wait for the round to begin.
  bool expires = false;
  bool closes = false;  ///< The completions say so.
  unsigned completer_delay = 0;
  unsigned canceller_delay = 0;
  unsigned worker_delay = 0;
  unsigned timer_delay = 0;

  parking_word word;
  std::atomic<slot> operation{slot::idle};
  std::atomic<bool> triggered{false};
  std::atomic<bool> expired{false};
  std::atomic<bool> begun{false};
  std::atomic<bool> ended{false};
  /// Handed to the worker, like a run queue that holds one task. More than one is a double
  /// schedule.
  std::atomic<unsigned> queued{0};
  std::atomic<bool> canceller_done{false};
  std::atomic<bool> timer_done{false};

  // Whoever owns the task. Plain, so that ThreadSanitizer objects to two owners.
  unsigned owners = 0;
  // The completion, from the completer to the worker.
  unsigned result = 0;
};

class table {
 public:
  table(std::uint64_t count, std::uint64_t seed, bool with_timer) : rounds_(count) {
    std::mt19937_64 random(seed);
    for (round& each : rounds_) {
      const std::uint64_t dice = random();
      each.needs = 1 + (dice & 1);
      each.in_kernel = (dice >> 1 & 1) != 0;
      each.cancels = (dice >> 2 & 3) != 0;
      each.moot = (dice >> 4 & 7) == 0;
      each.masked = (dice >> 7 & 7) == 0;
      each.early = (dice >> 10 & 15) == 0;
      each.completer_delay = static_cast<unsigned>(dice >> 14 & 0xfff);
      each.canceller_delay = static_cast<unsigned>(dice >> 26 & 0xfff);
      each.worker_delay = static_cast<unsigned>(dice >> 38 & 0x3f);
      each.asks = 1 + static_cast<unsigned>(dice >> 44 & 1);
      each.closes = (dice >> 45 & 7) == 0;
      each.expires = with_timer && (dice >> 48 & 1) != 0;
      each.timer_done.store(!with_timer, std::memory_order_relaxed);
      each.timer_delay = static_cast<unsigned>(dice >> 49 & 0xfff);
    }
  }

  void work() {
    for (round& each : rounds_) {
      if (stuck_) return;
      run(each);
    }
  }
  void complete() {
    for (round& each : rounds_) {
      unsigned turns = 0;
      while (!each.ended.load(std::memory_order_acquire)) {
        if (each.operation.load() == slot::armed) {
          pause(each.completer_delay);
          complete(each);
        }
        if (late(turns)) return;
      }
    }
  }
  void cancel() {
    for (round& each : rounds_) {
      unsigned turns = 0;
      while (!each.early && !each.begun.load(std::memory_order_acquire))
        if (late(turns)) return;
      cancel(each);
    }
  }
  void expire() {
    for (round& each : rounds_) {
      unsigned turns = 0;
      while (!each.begun.load(std::memory_order_acquire))
        if (late(turns)) return;
      if (each.expires) {
        pause(each.timer_delay);
        each.expired.store(true);
        if (each.word.ask(parking_word::deadline)) schedule(each);
      }
      each.timer_done.store(true, std::memory_order_release);
    }
  }
  void complete_and_cancel() {
    for (round& each : rounds_) {
      if (stuck_) return;
      bool asked = false;
      unsigned turns = 0;
      while (!each.ended.load(std::memory_order_acquire)) {
        if (each.operation.load() == slot::armed) {
          if (!asked && each.canceller_delay < each.completer_delay) asked = cancel(each);
          pause(each.completer_delay);
          complete(each);
        }
        if (!asked && each.begun.load(std::memory_order_acquire)) asked = cancel(each);
        if (late(turns)) return;
      }
      if (!asked) each.canceller_done.store(true, std::memory_order_release);
    }
  }

  void check() const {
    CHECK_FALSE(stuck_);
    CHECK(double_schedules_ == 0);
    CHECK(wrong_ends_ == 0);
    CHECK(wrong_bits_ == 0);
    CHECK(finished_ == rounds_.size());
    MESSAGE("completed ", completed_, ", refused ", refused_, ", of which claimed ", claimed_,
            ", remasked ", remasked_, ", given back ", given_back_);
  }

 private:
  /// Mostly some turns of an empty loop, so that the threads meet within nanoseconds; sometimes
  /// gives the processor away, for there may be fewer processors than threads.
  static void pause(unsigned delay) {
    const unsigned most = (delay & 0x400) != 0 ? 0xff : 0x1f;
    for (volatile unsigned i = 0; i < (delay & most);) i = i + 1;
    if ((delay & 0xf00) == 0xf00)
      for (unsigned i = 0; i <= (delay & 3); ++i) std::this_thread::yield();
  }
  /// For loops that wait: gives the processor away now and then; true when all is over.
  bool late(unsigned& turns) {
    if (++turns % 512 == 0) std::this_thread::yield();
    return stuck_;
  }

  void schedule(round& task) {
    task.owners += 1;  // The scheduler links the task: it must be ours alone.
    if (task.queued.fetch_add(1, std::memory_order_acq_rel) != 0) ++double_schedules_;
  }
  void pop(round& task) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (unsigned i = 1; task.queued.load(std::memory_order_acquire) == 0; ++i) {
      if (i % 64 != 0) continue;
      std::this_thread::yield();
      if (std::chrono::steady_clock::now() > limit) {
        stuck_ = true;  // A lost schedule.
        return;
      }
    }
    task.queued.fetch_sub(1, std::memory_order_acq_rel);
    task.owners += 1;
  }

  /// The completer's move: nothing if the worker has taken the operation back.
  void complete(round& task) {
    slot armed = slot::armed;
    if (!task.operation.compare_exchange_strong(armed, slot::taken)) return;
    task.result += 1;
    if (task.word.complete(task.closes ? parking_word::closed : 0)) schedule(task);
  }
  bool cancel(round& task) {
    for (unsigned i = 1; task.cancels && i <= task.asks; ++i) {
      pause(task.canceller_delay >> (6 * (i - 1)));
      if (!task.moot && i == task.asks) task.triggered.store(true);
      if (task.word.ask(parking_word::request)) schedule(task);
    }
    task.canceller_done.store(true, std::memory_order_release);
    return true;
  }

  /// cancel.cpp, look(): is there a reason?
  static bool look(round& task) {
    if (task.word.asked(parking_word::closed)) return true;
    if (task.triggered.load()) return true;
    if (task.word.asked(parking_word::request)) {
      task.word.forget_request();
      if (task.triggered.load()) {
        task.word.ask(parking_word::request);
        return true;
      }
    }
    return task.word.asked(parking_word::deadline);
  }
  static bool withdraw(round& task) {
    if (task.in_kernel) return false;
    slot armed = slot::armed;
    return task.operation.compare_exchange_strong(armed, slot::idle);
  }

  enum class end : std::uint8_t { parked, completed, refused };

  /// dispatch.cpp, the inner loop of drive().
  end park(round& task) {
    bool mask = task.masked;
    for (;;) {
      const outcome how = task.word.park(mask);
      if (how == outcome::parked) return end::parked;
      if (how == outcome::completed) return end::completed;
      if (!look(task)) continue;
      if (withdraw(task)) return end::refused;
      mask = true;
    }
  }
  /// dispatch.cpp, settle().
  end settle(round& task) {
    for (;;) {
      if (!look(task)) {
        const outcome how = task.word.unclaim();
        if (how != outcome::requested) ++given_back_;
        if (how == outcome::parked) return end::parked;
        if (how == outcome::completed) return end::completed;
        continue;
      }
      if (withdraw(task)) {
        if (task.word.take()) ++wrong_ends_;
        return end::refused;
      }
      ++remasked_;
      return task.word.remask() ? end::parked : end::completed;
    }
  }

  /// One wait; false if it was refused.
  bool wait(round& task) {
    task.operation.store(slot::armed);
    end how = park(task);
    while (how == end::parked) {
      pop(task);
      if (stuck_) return false;
      how = end::completed;
      if (task.word.claimed()) {
        ++claimed_;
        how = settle(task);
      }
    }
    return how == end::completed;
  }

  void run(round& task) {
    task.begun.store(true, std::memory_order_release);
    bool refused = false;
    unsigned came = 0;
    while (came < task.needs && !refused) {
      pause(task.worker_delay);
      refused = !wait(task);
      // Only a completion says closed, each of this round's or none.
      if (task.word.asked(parking_word::closed) != (task.closes && !refused)) ++wrong_bits_;
      task.word.end_operation();
      if (task.word.asked(parking_word::closed)) ++wrong_bits_;
      if (refused) break;
      if (stuck_) return;
      ++came;
      // The result of this completion, no more and no less.
      if (task.operation.load() != slot::taken || task.result != came) ++wrong_ends_;
    }
    if (refused) {
      ++refused_;
      const bool reason = task.triggered.load() || task.expired.load();
      if (!reason || task.masked || task.result != came) ++wrong_ends_;
    } else {
      ++completed_;
    }
    ++finished_;
    task.ended.store(true, std::memory_order_release);
    // Canceller and timer may still be on their way: a task lives as long as somebody can ask it.
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!task.canceller_done.load(std::memory_order_acquire) ||
           !task.timer_done.load(std::memory_order_acquire)) {
      std::this_thread::yield();
      if (std::chrono::steady_clock::now() > limit) stuck_ = true;
      if (stuck_) return;
    }
    // It runs, so nobody may own it but us.
    if (task.queued.load() != 0) ++double_schedules_;
    // A request with a reason stays; what was asked of the operation ends with it.
    if (task.triggered.load() && !task.word.asked(parking_word::request)) ++wrong_bits_;
    task.word.end_operation();
    if (task.word.asked(parking_word::closed | parking_word::deadline)) ++wrong_bits_;
  }

  std::vector<round> rounds_;
  std::atomic<bool> stuck_{false};
  std::atomic<std::uint64_t> double_schedules_{0};
  std::atomic<std::uint64_t> wrong_ends_{0};
  std::atomic<std::uint64_t> wrong_bits_{0};

  // The worker's.
  std::uint64_t finished_ = 0, completed_ = 0, refused_ = 0, claimed_ = 0, remasked_ = 0,
                given_back_ = 0;
};

constexpr std::uint64_t rounds_each = 300'000;

TEST_CASE("parking word: one owner each round, completer, canceller and timer") {
  table all(cove::test::stress_rounds(rounds_each), cove::test::stress_seed(), true);
  std::thread completer([&] { all.complete(); });
  std::thread canceller([&] { all.cancel(); });
  std::thread timer([&] { all.expire(); });
  all.work();
  completer.join();
  canceller.join();
  timer.join();
  all.check();
}

TEST_CASE("parking word: one owner each round, three threads") {
  table all(cove::test::stress_rounds(rounds_each), cove::test::stress_seed(), false);
  std::thread completer([&] { all.complete(); });
  std::thread canceller([&] { all.cancel(); });
  all.work();
  completer.join();
  canceller.join();
  all.check();
}

TEST_CASE("parking word: one owner each round, two threads") {
  table all(cove::test::stress_rounds(rounds_each), cove::test::stress_seed(), false);
  std::thread other([&] { all.complete_and_cancel(); });
  all.work();
  other.join();
  all.check();
}

}  // namespace
