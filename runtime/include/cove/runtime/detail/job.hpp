#pragma once

#include <cstdint>

// Work for the pool: what somebody who must not block hands to a thread that may. The protocol
// stands in runtime/pool/lane.hpp.

namespace cove::pool {

struct job;

/// The moves of one kind of job. Both run on a thread of the pool.
struct job_type {
  /// Does the work and keeps what came of it.
  void (*run)(job& which) noexcept;
  /// Tells who submitted it that it has run: the thread's last access.
  void (*hand_back)(job& which) noexcept;
};

/// One piece of work. It lives with whoever submits it, and stays there until it is handed back or
/// was taken back.
struct job {
  explicit job(const job_type& moves) noexcept : kind(&moves) {}
  job(const job&) = delete;
  job& operator=(const job&) = delete;

  const job_type* kind;

  std::int64_t since_ns = 0;  ///< When it was submitted, in real time.

  // Under the lane's lock.
  bool queued = false;
  job* previous = nullptr;
  job* next = nullptr;
};

}  // namespace cove::pool
