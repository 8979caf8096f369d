#pragma once

#include "sched/scheduler.hpp"

namespace cove::sched {

/// The thread that watches over a scheduler without a processor of its own: it polls the network
/// when no worker did for 10 ms, because all of them are busy in user code. It looks every 5 ms;
/// once everything has been idle for a while it sleeps until there is work again. (Go's sysmon
/// looks every 20 us at first, for the sake of threads that block; that comes with the hand-off.)
class sysmon {
 public:
  explicit sysmon(scheduler& watched);
  ~sysmon();
  sysmon(const sysmon&) = delete;
  sysmon& operator=(const sysmon&) = delete;

 private:
  void run() noexcept;

  scheduler& scheduler_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace cove::sched
