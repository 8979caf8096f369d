#pragma once

// Walks a small program of a few simulated threads through its executions, one after the other, in
// one real thread: every interleaving, and every value that a load may return under the memory
// model of C++, within a bound. A test of a lock-free piece states its invariant once and has it
// checked where no machine at hand would ever go.
//
//     const report r = walk({.departures = 3}, [](execution& e) {
//       cove::detail::atomic<int> word{0};
//       plain<int> data;
//       e.thread([&] { data.set(1); word.store(1, std::memory_order_release); });
//       e.thread([&] {
//         if (word.load(std::memory_order_acquire) == 1) require(data.get() == 1, "it is old");
//       });
//       e.run();
//     });
//     CHECK(r.failure == "");
//
// Which executions. The body is called again and again, each time with another list of choices, and
// must do the same for the same choices. Before each access to an atomic another thread may go on
// instead; a load may return an older value; a weak compare-exchange may fail for nothing. Each of
// these is a departure from the plain course, in which a thread goes on until it ends or waits and
// sees what is newest. All executions with at most `departures` of them are walked, depth first.
// Who goes on when a thread waits or ends is free. (After CHESS: bugs hide behind few preemptions.)
//
// Which memory. Stores to one place form a list. A thread has seen each list up to some point and
// may read anything from there on; a release store carries what its thread has seen, an acquire
// load of it takes that over. The total order of seq_cst is kept as a graph (stepping_order.hpp).
// That is the model of C++20, operationally, so a weaker order in the program shows in what the
// loads return, even though an x86 machine would never show it. Plain data is checked for races, by
// the same hand-overs.
//
// What is not modelled, so that no test here can find what depends on it:
//   - the list of a place is in the order of execution: no store takes effect behind a later one
//     (2+2W), and no load sees a store that is executed after it (load buffering);
//   - fences with seq_cst stand in the order of execution among themselves and the accesses; an
//     access stands behind all seq_cst that happened before it (C++20 leaves a little more open);
//   - a read-modify-write, and a failing compare-exchange, sees the newest value;
//   - consume is acquire; volatile, signals and mixed sizes do not exist;
//   - a heavy fence is ordered with light fences alone (P1202), a light one with heavy ones;
//   - more departures than the bound, and more threads than the program has.
// A thread that reads the same again and again gives way to the others, and the execution fails
// where none of them can go on. What is constructed during an execution is there for all threads.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace stepping {

inline constexpr unsigned threads_max = 5;     ///< With thread 0, the body itself.
inline constexpr unsigned locations_max = 48;  ///< Atomics that one execution may touch.

struct limits {
  unsigned departures = 3;
  std::uint64_t executions = 2'000'000;  ///< More than this is a failure: make the program smaller.
};

struct report {
  std::uint64_t executions = 0;
  std::string failure;  ///< Empty if none; else what was wrong, and the steps that led there.
};

class execution {
 public:
  virtual ~execution() = default;
  /// Adds a thread to those that run() will run.
  virtual void thread(std::function<void()> body) = 0;
  /// Runs all threads to their ends. Afterwards the body sees all that they did.
  virtual void run() = 0;
};

report walk(const limits& bounds, const std::function<void(execution&)>& body);

/// Ends the execution as a failure unless `holds`.
void require(bool holds, const char* what);

/// Waits until `ready`, which may look at newest() of atomics and at what is not atomic. As a lock
/// or a system call that waits does: it orders nothing by itself.
void wait_until(const std::function<bool()>& ready);

/// One of two courses: the first, or, as a departure, the other. For what may happen at any time,
/// such as the end of a time limit.
bool otherwise();

/// The halves of a fence whose cost is all on one side; see asymmetric fences, P1202.
void light_fence();
void heavy_fence();

// ----- what atomics are made of -----

/// One place in memory, known by its address and its execution.
struct location {
  std::uint32_t number = 0;
  std::uint32_t life = 0;  ///< The execution to which `number` belongs.
};

std::uint64_t load(location& where, std::uint64_t initial, std::memory_order order);
void store(location& where, std::uint64_t initial, std::uint64_t value, std::memory_order order);
std::uint64_t update(location& where, std::uint64_t initial, std::memory_order order,
                     const std::function<std::uint64_t(std::uint64_t)>& next);
bool compare_exchange(location& where, std::uint64_t initial, std::uint64_t& expected,
                      std::uint64_t desired, std::memory_order success, std::memory_order failure,
                      bool weak);
std::uint64_t newest(location& where, std::uint64_t initial);
void fence(std::memory_order order);

/// Who has used a plain variable, and when.
struct plain_history {
  std::uint32_t life = 0;
  unsigned writer = 0;
  std::uint32_t written = 0;
  std::array<std::uint32_t, threads_max> read{};

  void note_read();
  void note_write();
};

/// Data that is no atomic: a read or write that is not ordered with a write is a failure.
template <class T>
class plain {
 public:
  plain() = default;
  explicit plain(T value) : value_(value) {}
  T get() const { return history_.note_read(), value_; }
  void set(T value) { history_.note_write(), value_ = value; }

 private:
  T value_{};
  mutable plain_history history_;
};

}  // namespace stepping
