#pragma once

#include "sched/scheduler.hpp"

namespace cove::sched {

/// The thread that watches over a scheduler without a processor of its own: it takes processors
/// from threads that block (oversee.cpp), and polls the network when no worker did for 10 ms,
/// because all of them are busy in user code. It looks every 5 ms, every millisecond while somebody
/// is in a blocking_scope; once everything has been idle for a while it sleeps until there is work.
class sysmon {
 public:
  explicit sysmon(scheduler& watched);
  ~sysmon();
  sysmon(const sysmon&) = delete;
  sysmon& operator=(const sysmon&) = delete;

 private:
  void run() noexcept;
  void follow_cpus() noexcept;

  scheduler& scheduler_;
  std::int64_t ask_cpus_at_ns_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace cove::sched
