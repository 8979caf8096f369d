#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace cove::examples {

/// How often which value was seen, in fixed memory (9 KiB). Log-linear: values below 64 have a
/// bucket each, above that every power of two has 32, so a percentile is at most 3 % too high.
/// What is beyond 2^40 counts as that.
///
/// Threads: any may record. Reading is right once nobody records any more.
class histogram {
 public:
  void record(std::uint64_t value) noexcept {
    count_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
    std::uint64_t most = max_.load(std::memory_order_relaxed);
    while (value > most && !max_.compare_exchange_weak(most, value, std::memory_order_relaxed)) {
    }
  }

  void merge(const histogram& other) noexcept {
    for (unsigned i = 0; i < buckets; ++i)
      count_[i].fetch_add(other.count_[i].load(std::memory_order_relaxed),
                          std::memory_order_relaxed);
    if (other.max() > max()) max_.store(other.max(), std::memory_order_relaxed);
  }

  std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& count : count_) sum += count.load(std::memory_order_relaxed);
    return sum;
  }

  /// The value that this share of all values does not exceed; 0 if there are none.
  std::uint64_t percentile(double share) const noexcept {
    const double wanted = share * static_cast<double>(total());
    std::uint64_t seen = 0;
    for (unsigned i = 0; i < buckets; ++i) {
      seen += count_[i].load(std::memory_order_relaxed);
      if (seen != 0 && static_cast<double>(seen) >= wanted)
        return highest_in(i) < max() ? highest_in(i) : max();
    }
    return max();
  }

  std::uint64_t max() const noexcept { return max_.load(std::memory_order_relaxed); }

 private:
  static constexpr unsigned sub_bits = 5;
  static constexpr unsigned top_bits = 40;
  static constexpr unsigned buckets = (top_bits - sub_bits + 1) << sub_bits;

  /// The leading one picks the group, the five bits behind it the bucket.
  static unsigned bucket_of(std::uint64_t value) noexcept {
    if (value >= std::uint64_t{1} << top_bits) return buckets - 1;
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > sub_bits + 1 ? width - sub_bits - 1 : 0;
    return (shift << sub_bits) + static_cast<unsigned>(value >> shift);
  }
  static std::uint64_t highest_in(unsigned bucket) noexcept {
    const unsigned group = bucket >> sub_bits;
    const unsigned shift = group > 1 ? group - 1 : 0;
    return (((bucket - (shift << sub_bits)) + std::uint64_t{1}) << shift) - 1;
  }

  std::array<std::atomic<std::uint64_t>, buckets> count_{};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace cove::examples
