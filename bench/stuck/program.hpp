// A program whose tasks get stuck in user code, or whose pool does, and what its other tasks notice
// of it.
#pragma once

#include "lateness.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace stuck {

/// What a task does with its worker for half a second at a time, over and over. `pooled`: it sleeps
/// on the pool, every thread of every lane does, and as many calls again are queued behind them.
/// `nobody`: nothing is done, for comparison.
enum class way { nobody, pooled, asleep, computing };

struct setup {
  way how = way::asleep;
  std::string backend;  ///< Empty: COVE_BACKEND's, or the default.
  unsigned workers = 2;
  unsigned tasks = 2;  ///< That get stuck. With fewer than workers, some are left.
  std::chrono::duration<double> time{2};
};

struct figures {
  std::string backend;
  std::string backend_reason;
  lateness echoes;  ///< From the sending of a byte to its return.
  lateness timers;  ///< From the time that a task slept to until it ran.
  lateness raw;     ///< The same, of a plain thread.
  std::uint64_t hand_offs = 0;
  unsigned threads = 0;  ///< Worker threads at the end.
};

figures measure(const setup& wanted);

}  // namespace stuck
