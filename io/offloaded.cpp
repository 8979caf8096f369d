#include <cove/io/detail/offloaded.hpp>

namespace cove::io::detail {

offloaded::answer offloaded::give_away(task_ctl& task, processor& p) noexcept {
  if (give_to_ring(ring, task, p)) {
    where_ = place::at_ring;
    return answer::pending;
  }
  where_ = place::at_pool;
  return go_on_in_pool(task, p);
}

offloaded::answer offloaded::go_on_in_pool(task_ctl& task, processor& p) noexcept {
  if (!pool_moves.advance(*this, task, p)) return answer::pending;
  where_ = place::here;
  return refusal() ? answer::refused : answer::pool;
}

offloaded::answer offloaded::collect(task_ctl& task, processor& p) noexcept {
  if (where_ == place::at_pool) return go_on_in_pool(task, p);
  where_ = place::here;
  return answer::ring;
}

bool offloaded::end_unrun() noexcept {
  const std::error_code why = refusal();
  if (why == cove::detail::code_of(stop_reason::canceled))
    stopped_ = stop_reason::canceled;
  else if (why == cove::detail::code_of(stop_reason::deadline))
    stopped_ = stop_reason::deadline;
  else
    refused_ = true;
  return true;
}

const char* offloaded::refusal_remedy() const noexcept {
  return refusal() == std::errc::device_or_resource_busy
             ? "the queue of the pool's lane \"file\" is full: try again later, or raise queue_max "
               "in runtime_options::pool.file"
             : "the system gives the pool no thread: raise its limit of threads (ulimit -u, "
               "pids.max)";
}

bool offloaded::take_back(task_ctl& task, processor& p) noexcept {
  const bool taken = where_ == place::at_ring ? take_from_ring(ring, task, p)
                                              : pool_moves.withdraw(*this, task, p);
  if (taken)
    where_ = place::here;
  else
    asked_.store(true, std::memory_order_relaxed);
  return taken;
}

}  // namespace cove::io::detail
