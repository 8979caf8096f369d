// How late things were that should have happened at once, or at a certain time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace stuck {

/// Something is due this often, of each kind that is looked at.
constexpr std::chrono::milliseconds pitch(2);

class lateness {
 public:
  void add(std::chrono::nanoseconds by) { ns_.push_back(by.count()); }
  void add(const lateness& others) { ns_.insert(ns_.end(), others.ns_.begin(), others.ns_.end()); }
  std::size_t count() const { return ns_.size(); }

  /// What this share of them did not exceed, in milliseconds; 1: the worst. NaN if there are none.
  double at_ms(double share) const {
    if (ns_.empty()) return std::numeric_limits<double>::quiet_NaN();
    std::vector<std::int64_t> sorted = ns_;
    const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(index);
    std::nth_element(sorted.begin(), at, sorted.end());
    return static_cast<double>(*at) / 1e6;
  }

 private:
  std::vector<std::int64_t> ns_;
};

}  // namespace stuck
