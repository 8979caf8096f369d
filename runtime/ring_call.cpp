#include <cove/runtime/detail/ring_call.hpp>

#include "netpoll/backend.hpp"
#include "state.hpp"

namespace cove::detail {

bool give_to_ring(ring_call& call, task_ctl& task, sched::processor& p) noexcept {
  sched::scheduler& scheduler = task.runtime->scheduler;
  // Virtual time stands while a job of the pool is out; it knows nothing of rings.
  if (call.verb == ring_verb::none || scheduler.settings().clock != nullptr) return false;
  call.task = &task;
  return scheduler.poller().carry(call, p.id);
}

bool take_from_ring(ring_call& call, task_ctl& task, sched::processor& p) noexcept {
  return task.runtime->scheduler.poller().take_back(call, p.id);
}

}  // namespace cove::detail
