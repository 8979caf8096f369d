#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace notify {

/// How long to go on.
struct effort {
  std::chrono::milliseconds time;  ///< Until so much has passed,
  std::size_t least = 5;           ///< but for so many rounds at least.
  std::size_t warm_up = 2;         ///< Rounds before the first that counts.
};

/// What was found for one number of active descriptors.
struct point {
  std::size_t active;
  std::size_t rounds;
  double ns;  ///< The median round, for each that was active.
};

/// Takes the time of rounds.
///
///     rounds timed(how_long);
///     while (timed.next()) { ... }
class rounds {
 public:
  explicit rounds(effort chosen) : chosen_(chosen) {}

  /// Ends the round that runs, if there is one, and begins the next unless there were enough.
  bool next() {
    const auto now = clock::now();
    if (began_++ > 0) taken_.push_back(now - start_);
    if (began_ == chosen_.warm_up + 1) {
      taken_.clear();
      until_ = now + chosen_.time;
    }
    const bool counts = began_ > chosen_.warm_up;
    if (counts && taken_.size() >= chosen_.least && now >= until_) return false;
    start_ = clock::now();
    return true;
  }

  point of(std::size_t active) {
    const auto middle = taken_.begin() + static_cast<std::ptrdiff_t>(taken_.size() / 2);
    std::nth_element(taken_.begin(), middle, taken_.end());
    return {
        active, taken_.size(),
        std::chrono::duration<double, std::nano>(*middle).count() / static_cast<double>(active)};
  }

 private:
  using clock = std::chrono::steady_clock;

  effort chosen_;
  std::size_t began_ = 0;
  clock::time_point start_;
  clock::time_point until_;
  std::vector<clock::duration> taken_;
};

/// One, a tenth and all of `watched`, each number once.
inline std::vector<std::size_t> active_numbers(std::size_t watched) {
  std::vector<std::size_t> numbers{1, std::max<std::size_t>(watched / 10, 1), watched};
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

}  // namespace notify
