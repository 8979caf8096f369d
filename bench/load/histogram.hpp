// Latencies, counted in buckets whose width grows with the value: 64 for each power of two, so that
// a quantile is right to 1.6 % from a nanosecond to hours, and counting allocates nothing.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace load {

class histogram {
 public:
  void add(std::uint64_t ns, std::uint64_t times) {
    buckets_[bucket_of(ns)] += times;
    total_ += times;
    max_ = std::max(max_, ns);
  }

  std::uint64_t max() const { return max_; }
  std::uint64_t total() const { return total_; }

  // The upper end of the bucket that holds this share of what was counted.
  std::uint64_t quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted) return std::min(end_of(i), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned fine_bits = 6;
  static constexpr std::uint64_t fine = 1U << fine_bits;

  // Below 64 a value is its own bucket. Above, the six bits after the first choose among 64.
  static std::size_t bucket_of(std::uint64_t ns) {
    if (ns < fine) return ns;
    const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - fine_bits;
    return std::min<std::size_t>((shift + 1) * fine + (ns >> shift) - fine, bucket_count - 1);
  }

  static std::uint64_t end_of(std::size_t bucket) {
    if (bucket < fine) return bucket;
    const std::uint64_t shift = bucket / fine - 1;
    return ((bucket % fine + fine + 1) << shift) - 1;
  }

  static constexpr std::size_t bucket_count = 40 * fine;
  std::array<std::uint64_t, bucket_count> buckets_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace load
