#pragma once

#include "netpoll/backend.hpp"
#include "netpoll/desc_table.hpp"
#include "netpoll/epoll_instance.hpp"
#include "netpoll/waker.hpp"

namespace cove::netpoll {

/// Level-triggered epoll: a descriptor is armed for what somebody waits for there, each
/// time somebody does, and reports once. For comparison with what edges spare.
class epoll_lt final : public backend {
 public:
  /// Throws error if the system gives no epoll or no eventfd.
  explicit epoll_lt(desc_table& table) : table_(table), epoll_(waker_) {}

  const char* name() const noexcept override { return "epoll-lt"; }
  netpoll::model model() const noexcept override { return netpoll::model::level; }
  std::error_code open(poll_desc& desc) noexcept override;
  bool close(poll_desc& desc) noexcept override;
  std::error_code watch(poll_desc& desc, awaited what) noexcept override;
  void poll(unsigned lane, detail::task_list& ready) noexcept override;
  void wait(std::int64_t delay_ns, detail::task_list& ready) noexcept override;
  void wake() noexcept override { waker_.wake(); }
  bool woken() const noexcept override { return waker_.woken(); }
  std::size_t watched() const noexcept override { return watched_.load(std::memory_order_relaxed); }

 private:
  void deliver(const epoll_instance::batch& events, detail::task_list& ready) noexcept;
  void deliver(const epoll_event& event, detail::task_list& ready) noexcept;
  std::error_code ask(poll_desc& desc) noexcept;

  desc_table& table_;
  waker waker_;
  epoll_instance epoll_;
  std::atomic<std::size_t> watched_{0};
};

}  // namespace cove::netpoll
