#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace notify {

/// How long to go on.
struct effort {
  std::chrono::milliseconds time;  ///< Until so much has passed,
  std::size_t least = 5;           ///< but for so many blocks of rounds at least.
};

/// What was found for one number of active descriptors.
struct point {
  std::size_t active;
  std::size_t rounds;
  double ns;  ///< A round of the median block, for each that was active.
};

/// Takes the time of rounds, by blocks of them: processor time of the thread, as no round ever has
/// to wait. So it does not matter who else has the processor meanwhile; and a block is long enough
/// for that clock, which is a system call.
///
///     rounds timed(how_long, active);
///     while (timed.next()) { ... }
class rounds {
 public:
  rounds(effort chosen, std::size_t active)
      : chosen_(chosen), active_(active), block_(std::max<std::size_t>(64 / active, 1)) {}

  /// Ends the round that runs, if there is one, and begins the next unless there were enough.
  bool next() {
    if (left_ > 0) {
      --left_;
      return true;
    }
    const auto now = processor_time();
    if (++blocks_ > warm_up) taken_.push_back(now - start_);
    if (blocks_ == warm_up) until_ = now + chosen_.time;
    if (taken_.size() >= chosen_.least && now >= until_) return false;
    left_ = block_ - 1;
    start_ = processor_time();
    return true;
  }

  point result() {
    const auto middle = taken_.begin() + static_cast<std::ptrdiff_t>(taken_.size() / 2);
    std::nth_element(taken_.begin(), middle, taken_.end());
    const double each = std::chrono::duration<double, std::nano>(*middle).count();
    return {active_, taken_.size() * block_, each / static_cast<double>(block_ * active_)};
  }

 private:
  using nanoseconds = std::chrono::nanoseconds;

  static constexpr std::size_t warm_up = 2;  ///< The block that is none, and the first one.

  static nanoseconds processor_time() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
  }

  effort chosen_;
  std::size_t active_;
  std::size_t block_;     ///< Rounds in it,
  std::size_t left_ = 0;  ///< of which so many are still to begin.
  std::size_t blocks_ = 0;
  nanoseconds start_{};
  nanoseconds until_{};
  std::vector<nanoseconds> taken_;
};

/// One, a tenth and all of `watched`, each number once.
inline std::vector<std::size_t> active_numbers(std::size_t watched) {
  std::vector<std::size_t> numbers{1, std::max<std::size_t>(watched / 10, 1), watched};
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

}  // namespace notify
