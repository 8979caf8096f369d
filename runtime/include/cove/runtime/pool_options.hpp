#pragma once

#include <cove/runtime/time.hpp>

#include <cstddef>
#include <cstdint>

namespace cove {

/// What a lane of the pool may do; see pool_lane and blocking(). What is 0 is chosen.
///
/// Threads:  a value.
struct lane_options {
  /// Threads that are started as soon as there are calls for them.
  unsigned threads = 0;
  /// Threads at most: the lane grows beyond `threads`, one by one, while the first call in the
  /// queue has waited for longer than `grow_after`.
  unsigned threads_max = 0;
  std::chrono::milliseconds grow_after{1};
  /// A thread that had nothing to do for so long ends, to the last one.
  std::chrono::milliseconds keep_idle{10'000};
  /// Calls that wait for a thread, at most. A further one waits for its turn to be in the queue; it
  /// fails instead if the lane refuses.
  std::size_t queue_max = 1024;
  bool refuse_when_full = false;
};

/// The lanes of a runtime.
struct pool_options {
  lane_options file;  ///< As many threads as workers, at least 4; 64 at most.
  lane_options dns;   ///< 4 threads; 16 at most.
  lane_options user;  ///< Four threads for each worker, at least 16; no more.
};

/// What a lane has been doing, at one moment.
///
/// Threads:  a value.
struct lane_stats {
  unsigned threads = 0;
  unsigned threads_max = 0;
  std::uint64_t threads_started = 0;  ///< So far.
  std::uint64_t running = 0;          ///< Calls that a thread has begun.
  std::uint64_t queued = 0;           ///< Those that wait for one.
  std::uint64_t at_door = 0;          ///< Those that wait because the queue is full.
  std::uint64_t finished = 0;         ///< Those that have ended so far.
  std::uint64_t taken_back = 0;       ///< By a request or a limit, before they began.
  std::uint64_t refused = 0;          ///< For want of any thread, or of room in the queue.
  std::chrono::nanoseconds
      waited{};  ///< From its call to its begin: all that have begun, together;
  std::chrono::nanoseconds waited_most{};  ///< the one that waited longest.
};

/// The lanes of a runtime.
struct pool_stats {
  lane_stats file;
  lane_stats dns;
  lane_stats user;
};

}  // namespace cove
