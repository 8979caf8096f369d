#pragma once

// What the tests of tasks and scheduler stand on: a runtime that must be left as clean as it was
// made, and waits that end with a failure instead of hanging.
//
//     TEST_CASE("M09 a finished task can be joined") {
//       run_in(plain_options(), []() -> task<> {
//         auto handle = spawn(job);
//         co_await eventually([&] { return handle.done(); });
//         co_await handle;
//       });
//     }
//
// doctest's macros are lambdas, so nothing is awaited inside of them: await first, then check.

#include <cove/runtime.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <ostream>  // doctest prints error codes with it
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace cove::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

/// How long a test waits for what should be there in a moment.
inline constexpr std::chrono::seconds patience(20);

/// Neither sysmon nor spinning helps: what is forgotten stays forgotten.
inline runtime_options plain_options(unsigned workers = 2) {
  runtime_options options;
  options.workers = workers;
  options.sysmon = false;
  options.spin = false;
  return options;
}

/// Entries of a folder of /proc.
inline std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

/// Ends the process, with a report of the tasks, if it lives for three times `patience`.
class hang_guard {
 public:
  explicit hang_guard(runtime& over) : thread_([this, &over] { watch(over); }) {}
  hang_guard(const hang_guard&) = delete;
  hang_guard& operator=(const hang_guard&) = delete;
  ~hang_guard() {
    {
      const std::lock_guard guard(lock_);
      done_ = true;
    }
    told_.notify_one();
    thread_.join();
  }

 private:
  void watch(runtime& over) {
    std::unique_lock guard(lock_);
    if (told_.wait_for(guard, 3 * patience, [this] { return done_; })) return;
    std::fprintf(stderr, "a test hangs; its tasks:\n%s%s\n", over.report().c_str(),
                 to_string(over.stats()).c_str());
    std::abort();
  }

  std::mutex lock_;
  std::condition_variable told_;
  bool done_ = false;
  std::thread thread_;
};

/// At its end stops the runtime and checks that nothing is left in it.
class clean_end {
 public:
  explicit clean_end(runtime& of) noexcept : of_(of) {}
  clean_end(const clean_end&) = delete;
  clean_end& operator=(const clean_end&) = delete;
  ~clean_end() {
    const bool ended = of_.stop(patience);
    CHECK(ended);
    const runtime_stats left = of_.stats();
    CHECK(left.tasks_live == 0);
    CHECK(left.tasks_queued == 0);
    CHECK(left.timers == 0);
    CHECK(left.descriptors == 0);
    for (const lane_stats& lane : {left.pool.file, left.pool.dns, left.pool.user}) {
      CHECK(lane.running == 0);
      CHECK(lane.queued == 0);
      CHECK(lane.at_door == 0);
    }
  }

 private:
  runtime& of_;
};

/// Runs `f()`, a task, inside a runtime of its own; or `f(runtime&)` on this thread, beside it.
/// Gives what that gives, and checks that nothing of it is left.
template <class F>
auto run_in(runtime_options options, F f) {
  runtime in(std::move(options));
  const hang_guard guard(in);
  const clean_end end(in);
  if constexpr (std::is_invocable_v<F&, runtime&>)
    return f(in);
  else
    return in.block_on(std::move(f));
}

/// Gives way until `holds()`; fails the test if that takes too long.
template <class Predicate>
task<> eventually(Predicate holds) {
  const auto limit = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > limit) FAIL("waited in vain");
    co_await this_task::yield();
  }
}

/// The same for a flag that lives longer than the wait.
inline task<> eventually(const std::atomic<bool>& flag) {
  const auto* seen = &flag;
  const auto is_set = [seen] { return seen->load(); };
  co_await eventually(is_set);
}

/// The same for a thread, or for a task that keeps its worker busy meanwhile. False: in vain.
template <class Predicate>
bool thread_waits_for(Predicate holds, std::chrono::milliseconds limit = patience) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// For comparisons in coroutines, where GCC 12 gets braces wrong.
template <class... Numbers>
std::vector<int> numbers(Numbers... each) {
  return {each...};
}

/// The code of what left `op`; zero if nothing did.
template <class Op>
task<std::error_code> code_of(Op op) {
  std::error_code code;
  try {
    static_cast<void>(co_await std::move(op));
  } catch (const std::system_error& e) {
    code = e.code();
  }
  co_return code;
}

/// What `op` ended with, as text.
template <class Op>
task<std::string> outcome_of(Op op) {
  try {
    static_cast<void>(co_await std::move(op));
  } catch (const cove::canceled&) {
    co_return "canceled";
  } catch (const cove::error& e) {
    co_return e.code() == cove::errc::deadline_exceeded ? "deadline" : e.what();
  } catch (const std::exception& e) {
    co_return e.what();
  }
  co_return "done";
}

/// Lets all others go until they wait. For runtimes of one worker.
inline task<> settle() {
  for (int i = 0; i < 8; ++i) co_await this_task::yield();
}

/// Waits for a permit, and keeps it: release() is how somebody says "go on".
inline task<> take(semaphore* from) { static_cast<void>((co_await from->acquire()).forget()); }

/// Sleeps until it is cancelled.
inline task<> forever() { co_await this_task::sleep_until(clock::time_point::max()); }

}  // namespace cove::test
