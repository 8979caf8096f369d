#pragma once

#include <cstdint>

namespace cove::sched {

/// Whether a worker that leaves the poller with work should wake another to take its seat.
///
/// Somebody has to wait for the network and the timers while it runs its tasks. But a wake-up costs
/// more than a short task, which is over before anybody else could sit there. So the seat is handed
/// on only if one of the last visits to user code was long; the first long one after many short
/// ones is found by sysmon, within 10 ms. Without sysmon the seat is always handed on.
/// Used by whoever holds the seat, under the scheduler's lock or as the poller.
class seat_policy {
 public:
  /// The seat is taken at `now_ns`.
  void taken(std::int64_t now_ns) noexcept {
    if (now_ns - left_at_ns_ > long_ns)
      long_lately_ = remembered;
    else if (long_lately_ != 0)
      --long_lately_;
  }
  /// The seat is left at `now_ns`; true if it should be handed on.
  bool left(std::int64_t now_ns, bool sysmon) noexcept {
    left_at_ns_ = now_ns;
    return !sysmon || long_lately_ != 0;
  }

 private:
  static constexpr std::int64_t long_ns = 200'000;
  static constexpr unsigned remembered = 16;

  std::int64_t left_at_ns_ = 0;
  unsigned long_lately_ = remembered;
};

}  // namespace cove::sched
