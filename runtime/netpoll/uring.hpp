#pragma once

#include "netpoll/epoll_instance.hpp"
#include "netpoll/pick.hpp"
#include "netpoll/uring_lane.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace cove::netpoll {

/// io_uring: the kernel carries operations out. One ring a processor (uring_lane.hpp); whoever
/// comes by collects completions from all of them.
///
/// Waiting: with one ring, in the call that also hands in what was armed; with several, in epoll,
/// which has the rings' descriptors and the bell.
class uring final : public backend {
 public:
  /// Throws error if the system refuses a ring.
  explicit uring(const backend_settings& chosen);

  const char* name() const noexcept override { return "io_uring"; }
  netpoll::model model() const noexcept override { return netpoll::model::completion; }
  std::error_code open(poll_desc& desc) noexcept override;
  bool close(poll_desc& desc) noexcept override;
  void arm(detail::io_op& op, unsigned lane) noexcept override;
  void withdraw(detail::io_op& op, unsigned lane) noexcept override;
  bool carry(detail::ring_call& call, unsigned lane) noexcept override;
  bool take_back(detail::ring_call& call, unsigned lane) noexcept override;
  void submit(unsigned lane) noexcept override { lanes_[lane]->submit(); }
  void flush(unsigned lane, detail::task_list& ready) noexcept override;
  bool overdue(unsigned lane) noexcept override { return lanes_[lane]->overdue(); }
  void poll(unsigned lane, detail::task_list& ready) noexcept override;
  void wait(std::int64_t delay_ns, detail::task_list& ready) noexcept override;
  void wake() noexcept override { bell_.wake(); }
  bool woken() const noexcept override { return bell_.woken(); }
  std::size_t watched() const noexcept override { return watched_.load(std::memory_order_relaxed); }
  bool expects() const noexcept override;

 private:
  uring_record& record_of(const detail::io_op& op) noexcept;
  bool wait_for_any(std::int64_t delay_ns) noexcept;

  uring_table table_;
  waker bell_;
  std::vector<std::unique_ptr<uring_lane>> lanes_;
  std::optional<epoll_instance> rings_;  ///< With several lanes: watches them and the bell.
  std::atomic<std::size_t> watched_{0};
};

}  // namespace cove::netpoll
