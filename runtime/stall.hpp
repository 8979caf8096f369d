#pragma once

#include "native_stack.hpp"
#include "sched/stall.hpp"

#include <cove/runtime/detail/log_limit.hpp>
#include <cove/runtime/runtime.hpp>

#include <optional>

namespace cove::detail {

/// Tells log and program of stalls. Called by sysmon only.
class stall_watch {
 public:
  /// Throws error if stacks are asked for, and every real-time signal is in use.
  explicit stall_watch(const runtime_options& options);

  void tell(const sched::stall& seen) noexcept;
  /// A thread blocks, and none may be started, or none can, to take over from it.
  void tell_short_of_threads(unsigned threads, bool refused) noexcept;

 private:
  void write(const stall_report& report);

  const runtime_options& options_;
  std::optional<native_stack_signal> signal_;
  log_limit stalls_{1'000'000'000};
  log_limit shortages_{10'000'000'000};
};

}  // namespace cove::detail
