#include "sched/virtual_clock.hpp"

#include "descriptor.hpp"
#include "netpoll/backend.hpp"
#include "netpoll/transit.hpp"
#include "sched/scheduler.hpp"

#include <utility>

namespace cove::sched {

void virtual_clock::retain() noexcept {
  const std::lock_guard guard(lock_);
  ++holders_;
}

void virtual_clock::release() noexcept {
  {
    const std::lock_guard guard(lock_);
    if (--holders_ != 0) return;
  }
  delete this;
}

void virtual_clock::begin_external() noexcept {
  const std::lock_guard guard(lock_);
  ++outstanding_;
  ++changes_;
  if (state_ == state::quiet) state_ = state::busy;
}

void virtual_clock::end_external() noexcept {
  const std::lock_guard guard(lock_);
  --outstanding_;
  ++changes_;
  // Under the lock, so that the poller is still there.
  if (poller_ != nullptr) poller_->wake();
}

virtual_clock::announced virtual_clock::look() noexcept {
  const std::lock_guard guard(lock_);
  return {outstanding_, changes_};
}

bool virtual_clock::jump(std::int64_t when_ns) noexcept {
  if (when_ns == detail::never_ns) return false;
  if (when_ns <= now_ns_) return true;
  const std::lock_guard guard(lock_);
  if (when_ns - from_ns_ > limit_ns_) {
    beyond_limit_ = true;
    return false;
  }
  now_ns_ = when_ns;
  return true;
}

void virtual_clock::report_quiet(const announced& seen) noexcept {
  const std::lock_guard guard(lock_);
  if (changes_ != seen.changes || state_ != state::busy) return;
  state_ = state::quiet;
  told_.notify_all();
}

void virtual_clock::report_ended() noexcept {
  const std::lock_guard guard(lock_);
  state_ = state::ended;
  told_.notify_all();
}

void virtual_clock::attach(netpoll::backend& poller) noexcept {
  const std::lock_guard guard(lock_);
  poller_ = &poller;
}

void virtual_clock::detach() noexcept {
  const std::lock_guard guard(lock_);
  poller_ = nullptr;
}

virtual_clock::state virtual_clock::wait() {
  std::unique_lock guard(lock_);
  told_.wait(guard, [this] { return state_ != state::busy; });
  return state_;
}

bool virtual_clock::take_limit() noexcept {
  const std::lock_guard guard(lock_);
  from_ns_ = now_ns_;
  return std::exchange(beyond_limit_, false);
}

namespace {

/// Calls `f` with each TCP connection's descriptor, none of which is closed meanwhile.
template <class F>
void for_each_connection(netpoll::desc_table& table, F f) {
  for (std::uint32_t i = 0, end = table.end(); i < end; ++i) {
    netpoll::poll_desc& desc = table.at(i);
    if (desc.access.enter() != netpoll::gate::entry::entered) continue;
    if (desc.is_tcp()) f(desc.fd);
    if (desc.access.leave()) detail::shut_descriptor(desc);
  }
}

}  // namespace

/// What has happened in the network, and to the wake-up that may be pending.
void scheduler::ask_network(detail::task_list& came) noexcept {
  if (poller_backend_->watched() != 0 || poller_backend_->woken()) poller_backend_->wait(0, came);
}

/// Within a host the kernel delivers in the sender's call, as a rule. But it may hold back an
/// acknowledgement, without which a sender with more to send cannot go on, for 40 ms; it may forget
/// to tell a sender of an open window until that asks, after 200 ms; and if it is busy, a thread of
/// its own delivers.
bool scheduler::bytes_in_transit() noexcept {
  netpoll::desc_table& table = *settings_.descriptors;
  for_each_connection(table, netpoll::acknowledge);
  bool any = false;
  for_each_connection(table, [&](int from) {
    any = any || netpoll::in_transit(from);
    if (any || !netpoll::has_unsent(from)) return;
    for_each_connection(table, [&](int to) { any = any || netpoll::is_drained_end(from, to); });
  });
  return any;
}

/// In the poller's seat, without a processor: comes back when there is something to run or a timer
/// is due.
void scheduler::pass_virtual_time(detail::task_list& came) noexcept {
  // Real time, for the network alone: for bytes in transit, at most half a second, and before it is
  // said that nothing will happen any more.
  constexpr std::int64_t transit_ns = 2'000'000;
  constexpr std::int64_t last_hope_ns = 1'000'000'000;
  virtual_clock& clock = *settings_.clock;
  const bool network = poller_backend_->watched() != 0;
  int patience = 250;
  bool hopes = network;
  for (;;) {
    const virtual_clock::announced outside = clock.look();
    ask_network(came);
    bool transit = false;
    if (network && came.empty() && outside.outstanding == 0) {
      transit = bytes_in_transit() && --patience > 0;
      ask_network(came);  // What the acknowledgements brought.
    }
    if (!came.empty() || any_work() || exit_.load(std::memory_order_relaxed)) return;
    // Asking the network takes a wake-up that came since `outside` was read. One that comes from
    // here on ends the wait below.
    if (clock.look().changes != outside.changes) continue;
    std::int64_t delay_ns = -1;
    if (transit) {
      delay_ns = transit_ns;
    } else if (outside.outstanding == 0) {
      if (clock.waiting_for_idle().wake_all(came) || clock.jump(earliest_timer())) return;
      if (std::exchange(hopes, false))
        delay_ns = last_hope_ns;
      else
        clock.report_quiet(outside);
    }
    poller_backend_->wait(delay_ns, came);
  }
}

}  // namespace cove::sched
