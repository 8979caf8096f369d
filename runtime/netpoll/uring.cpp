#include "netpoll/uring.hpp"

#include "io_syscall.hpp"
#include "netpoll/make_uring.hpp"
#include "netpoll/uring_accepts.hpp"
#include "netpoll/uring_message.hpp"

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/error.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace cove::netpoll {
namespace {

constexpr std::int64_t patience_ns = 50'000;
constexpr std::int64_t retry_ns = 1'000'000;

}  // namespace

uring::uring(const backend_settings& chosen) {
  // Without sysmon nobody would hand in what a worker armed before it got stuck.
  const uring_lane_settings each{bell_, chosen.sysmon ? patience_ns : 0, chosen.closed,
                                 chosen.resume};
  for (unsigned i = 0; i < chosen.lanes; ++i)
    lanes_.push_back(std::make_unique<uring_lane>(table_, each));
  if (chosen.lanes == 1) return;
  rings_.emplace(bell_);
  for (unsigned i = 0; i < chosen.lanes; ++i)
    if (const std::error_code why = rings_->control(EPOLL_CTL_ADD, lanes_[i]->fd(), EPOLLIN, i);
        why)
      throw error(why, "epoll_ctl of a ring");
}

std::error_code uring::open(poll_desc& desc) noexcept {
  if (!desc.is_tcp()) {
    // A ring would read a file, too, but a file is always ready: waiting for it means nothing.
    struct stat what{};
    if (::fstat(desc.fd, &what) != 0) return system_error_code(errno);
    if (S_ISREG(what.st_mode) || S_ISDIR(what.st_mode)) return system_error_code(EPERM);
  }
  if (!table_.prepare(desc.index)) return system_error_code(ENOMEM);
  watched_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

bool uring::close(poll_desc& desc) noexcept {
  for (const direction which : {direction::read, direction::write}) {
    uring_record& record = table_.at(desc.index, which);
    COVE_CHECK(record.op == nullptr, "a descriptor was closed with an operation inside");
    record.message.reset();
  }
  watched_.fetch_sub(1, std::memory_order_relaxed);
  uring_record& reads = table_.at(desc.index, direction::read);
  return reads.accepts == nullptr || reads.lane->close_accept(reads, desc);
}

uring_record& uring::record_of(const detail::io_op& op) noexcept {
  return table_.at(op.desc->index, detail::direction_of(op.kind));
}

void uring::arm(detail::io_op& op, unsigned lane) noexcept {
  uring_record& record = record_of(op);
  uring_lane& own = *lanes_[lane];
  if (op.kind != detail::io_kind::accept || !own.takes_many()) return own.arm(record, op);
  if (record.accepts == nullptr) {
    record.accepts.reset(new (std::nothrow) uring_accepts);
    if (record.accepts == nullptr) return own.arm(record, op);  // One at a time, then.
    record.lane = &own;
  }
  record.lane->arm_accept(record, op, record.lane != &own);
}

void uring::withdraw(detail::io_op& op, unsigned lane) noexcept {
  uring_record& record = record_of(op);
  // What another worker armed is looked after here: that worker need not come by soon.
  if (uring_lane* where = record.lane; where != nullptr)
    where->withdraw(record, op, where != lanes_[lane].get());
}

bool uring::carry(detail::ring_call& call, unsigned lane) noexcept {
  call.lane = lane;
  return lanes_[lane]->arm(call);
}

bool uring::take_back(detail::ring_call& call, unsigned lane) noexcept {
  return lanes_[call.lane]->withdraw(call, call.lane != lane);
}

bool uring::expects() const noexcept {
  return watched() != 0 || std::any_of(lanes_.begin(), lanes_.end(),
                                       [](const auto& each) { return each->has_calls(); });
}

void uring::flush(unsigned lane, detail::task_list& ready) noexcept {
  lanes_[lane]->submit();
  lanes_[lane]->collect(ready);
}

void uring::poll(unsigned lane, detail::task_list& ready) noexcept {
  // A worker that is alone gives its processor up with operations still to be handed in, and may
  // poll for a while before it waits.
  if (lanes_.size() == 1) lane = 0;
  if (lane != no_lane) lanes_[lane]->submit();
  for (const auto& each : lanes_) {
    if (each->held_up()) static_cast<void>(each->try_submit());
    each->collect(ready);
  }
}

void uring::wait(std::int64_t delay_ns, detail::task_list& ready) noexcept {
  if (!bell_.block()) return poll(no_lane, ready);
  if (lanes_.size() == 1) return bell_.unblock(lanes_[0]->wait(delay_ns, ready));
  poll(no_lane, ready);
  if (!ready.empty()) return bell_.unblock(false);
  const bool rung = wait_for_any(delay_ns);
  poll(no_lane, ready);
  bell_.unblock(rung);
}

/// Waits until a lane has completions or the bell rings; true if it did.
bool uring::wait_for_any(std::int64_t delay_ns) noexcept {
  for (const auto& each : lanes_)
    if (each->held_up() && (delay_ns < 0 || delay_ns > retry_ns)) delay_ns = retry_ns;
  epoll_instance::batch events;
  // Interrupted by what a completion has to do on this thread: that, too, is a reason to look.
  rings_->wait(events, delay_ns);
  return events.rung;
}

std::unique_ptr<backend> make_uring(const backend_settings& chosen) {
  return std::make_unique<uring>(chosen);
}

}  // namespace cove::netpoll
