#pragma once

#include "cpu_limit.hpp"
#include "netpoll/desc_table.hpp"
#include "pool/pool.hpp"
#include "sched/scheduler.hpp"
#include "sched/sysmon.hpp"
#include "stall.hpp"

#include <cove/runtime/runtime.hpp>

#include <condition_variable>
#include <optional>

namespace cove::detail {

/// All state of a runtime. Members are built in this order and taken down in the reverse one: tasks
/// first, then the pool, sysmon, workers, netpoller, descriptors.
struct runtime_state {
  /// How many workers, now and at most; `quota` is asked now and then if there is one.
  struct crew {
    unsigned workers = 1;
    unsigned most = 1;
    std::optional<cpu_limit> quota;
  };

  runtime_state(runtime& owner, runtime_options chosen, crew workers, bool spin,
                std::string backend_name, std::string reason, sched::virtual_clock* clock);
  ~runtime_state();
  runtime_state(const runtime_state&) = delete;
  runtime_state& operator=(const runtime_state&) = delete;

  // Constant after construction.
  runtime& facade;
  const runtime_options options;
  std::string backend_reason;  ///< Until the backend is made.

  struct retire_table {
    void operator()(netpoll::desc_table* which) const noexcept { which->retire(); }
  };
  /// Outlives the runtime while handles do.
  const std::unique_ptr<netpoll::desc_table, retire_table> table;
  netpoll::desc_table& descriptors;
  stall_watch stalls;
  std::optional<cpu_limit> quota;  ///< Read by sysmon.
  sched::scheduler scheduler;
  const netpoll::model model;  ///< The backend's.
  std::optional<sched::sysmon> sysmon;
  pool::thread_pool pool;

  /// The runtime's own supervisor: everything spawned without a nearer group.
  task_group root{task_group::policy::supervisor};

  // Any thread.
  std::atomic<std::uint64_t> spawned_outside{0};
  std::atomic<std::uint64_t> finished_outside{0};

  std::mutex drain_lock;
  std::condition_variable drained;  ///< The root group became empty.
};

/// The task has come to its end; called by the worker that ran it, outside of any coroutine. `p` is
/// null if the worker has lost its processor meanwhile.
void finish_task(task_ctl& task, sched::processor* p) noexcept;

/// The tasks of a runtime that have not ended, one a line, indented by group.
std::string report_tasks(runtime_state& state);

/// `17 "session" (echo.cpp:12)`: how logs and reports name a task. `name`: null if it has none but
/// its coroutine's, which `place` says.
std::string describe_task(const task_ctl& task);
std::string describe_task(std::uint64_t id, const char* name, const std::source_location& place);

}  // namespace cove::detail
