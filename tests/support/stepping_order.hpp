#pragma once

// The total order of seq_cst accesses, as far as an execution has fixed it.
//
// A load that returns an old value stands before the stores that it has missed, although it is
// executed behind them; so the order is no order of execution. It is a graph that grows: an access
// stands behind all that happened before it and behind what it has read over or written over. What
// would close a circle may not be read.

#include "support/stepping.hpp"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <vector>

namespace stepping {

inline constexpr std::size_t ordered_max = 192;  ///< Accesses with seq_cst in one execution.
using accesses = std::bitset<ordered_max>;

class total_order {
 public:
  void clear() noexcept { made_.clear(); }
  bool full() const noexcept { return made_.size() == ordered_max; }

  /// The oldest store to `place` that a load may return behind all of `before`.
  unsigned oldest(std::uint32_t place, const accesses& before) const {
    const accesses known = closed(before);
    unsigned bound = 0;
    for (std::size_t i = 0; i < made_.size(); ++i)
      if (known[i] && made_[i].writes && made_[i].place == place)
        bound = std::max(bound, made_[i].index);
    return bound;
  }

  /// A load of the store with `index`, or that store itself. `before` gets the new access, too.
  void add(std::uint32_t place, unsigned index, bool writes, accesses& before) {
    accesses mine = closed(before);
    accesses missed;
    for (std::size_t i = 0; i < made_.size(); ++i) {
      const access& other = made_[i];
      if (other.place != place) continue;
      if (other.index < index || (other.writes && other.index == index))
        mine |= other.before, mine.set(i);
      else if (other.writes)
        missed.set(i);
    }
    const std::size_t number = made_.size();
    for (std::size_t i = 0; i < number; ++i)
      if (missed[i] || (made_[i].before & missed).any())
        made_[i].before |= mine, made_[i].before.set(number);
    made_.push_back({place, index, writes, mine});
    before.set(number);
  }

 private:
  struct access {
    std::uint32_t place;
    unsigned index;
    bool writes;
    accesses before;
  };

  accesses closed(const accesses& some) const {
    accesses all = some;
    for (std::size_t i = 0; i < made_.size(); ++i)
      if (some[i]) all |= made_[i].before;
    return all;
  }

  std::vector<access> made_;
};

}  // namespace stepping
