#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cove::sched {

/// Whether it pays to poll for a while before sleeping in the kernel. A sleep and its wake-up cost
/// tens of microseconds, so with live traffic a short bounded wait awake is cheaper for everybody;
/// without traffic it would only burn.
///
/// The rule: at most limit_ns a wait, only while the mean gap of the last 16 wake-ups is below
/// that, and after three fruitless waits not again until a wait in the kernel ended within
/// limit_ns. Used by the poller alone.
class spin_policy {
 public:
  static constexpr std::int64_t limit_ns = 50'000;

  bool worth_it(bool allowed) const noexcept {
    return allowed && filled_ >= gaps && fruitless_ < 3 &&
           (last() - first()) / static_cast<std::int64_t>(gaps - 1) < limit_ns;
  }

  /// A wait ended with work at `now_ns`, after `waited_ns`; awake or in the kernel.
  void woke(std::int64_t now_ns, std::int64_t waited_ns, bool awake) noexcept {
    times_[at_++ % gaps] = now_ns;
    if (filled_ < gaps) ++filled_;
    if (awake || waited_ns < limit_ns) fruitless_ = 0;
  }
  /// Waiting awake brought nothing.
  void wasted() noexcept { ++fruitless_; }

 private:
  static constexpr std::size_t gaps = 16;

  std::int64_t last() const noexcept { return times_[(at_ + gaps - 1) % gaps]; }
  std::int64_t first() const noexcept { return times_[at_ % gaps]; }

  std::array<std::int64_t, gaps> times_{};
  std::size_t at_ = 0;
  std::size_t filled_ = 0;
  unsigned fruitless_ = 0;
};

}  // namespace cove::sched
