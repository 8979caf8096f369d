#include <cove/runtime/runtime.hpp>

#include <cove/runtime/detail/log.hpp>
#include "cpu_count.hpp"
#include "cpu_limit.hpp"
#include "descriptor.hpp"
#include "netpoll/pick.hpp"
#include "pool_options.hpp"
#include "state.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

// Making, asking and ending a runtime.
//
// The end, in stages
//   1. request   the root group takes no more tasks; its scope is triggered; every task is asked,
//   once
//   2. drain     wait until the group is empty, or for the limit
//   3. report    what is left, by name and place
// The destructor goes through the stages without a limit, and only then ends the pool, sysmon,
// workers and netpoller: no frame is destroyed while it is suspended in an operation. So a call on
// the pool that has begun is waited for in stage 2; one that has not was taken back in stage 1.

namespace cove {
namespace {

unsigned read_workers_variable() {
  const char* text = std::getenv("COVE_WORKERS");
  if (text == nullptr || *text == '\0') return 0;
  unsigned value = 0;
  const char* end = text + std::char_traits<char>::length(text);
  const auto [stop, why] = std::from_chars(text, end, value);
  if (why != std::errc{} || stop != end || value == 0 || value > 1024)
    throw error(std::make_error_code(std::errc::invalid_argument),
                "COVE_WORKERS=\"" + std::string(text) + "\"", "give a number from 1 to 1024");
  return value;
}

void check_options(const runtime_options& options) {
  if (options.workers > 1024)
    throw error(std::make_error_code(std::errc::invalid_argument),
                "runtime_options::workers = " + std::to_string(options.workers),
                "give a number from 1 to 1024, or 0 for the machine's");
  if (options.extra_threads > 10'000)
    throw error(std::make_error_code(std::errc::invalid_argument),
                "runtime_options::extra_threads = " + std::to_string(options.extra_threads),
                "give a number up to 10000");
  static_cast<void>(detail::settle(options.pool, 1));
  if (options.tuning.ring_slots < 1 || options.tuning.ring_slots > 256)
    throw error(std::make_error_code(std::errc::invalid_argument),
                "tuning::ring_slots = " + std::to_string(options.tuning.ring_slots),
                "give a number from 1 to 256");
}

std::string next_name() {
  static std::atomic<unsigned> count{0};
  return "runtime-" + std::to_string(count.fetch_add(1, std::memory_order_relaxed) + 1);
}

}  // namespace

namespace detail {

namespace {

sched::settings settings_for(const runtime_options& options, unsigned workers, unsigned most,
                             std::optional<cpu_limit>& quota, bool spin,
                             sched::virtual_clock* clock, netpoll::desc_table& descriptors,
                             stall_watch& stalls) {
  sched::settings chosen;
  chosen.workers = most;
  chosen.active = workers;
  if (quota) {
    chosen.cpus_context = &*quota;
    chosen.cpus = [](void* context) noexcept {
      return usable_cpus(*static_cast<cpu_limit*>(context));
    };
  }
  chosen.spin = spin;
  chosen.sysmon = options.sysmon;
  chosen.ring_slots = options.tuning.ring_slots;
  chosen.extra_threads = options.extra_threads;
  chosen.entry_without_p = options.tuning.entry_without_p;
  chosen.retake_at_once = options.tuning.retake_at_once;
  chosen.clock = clock;
  chosen.descriptors = &descriptors;
  chosen.stall_after_ns = detail::saturated_ns(options.stall_after);
  chosen.stalled_context = &stalls;
  chosen.short_of_threads = [](void* context, unsigned threads, bool refused) noexcept {
    static_cast<stall_watch*>(context)->tell_short_of_threads(threads, refused);
  };
  chosen.stalled = [](void* context, const sched::stall& what) noexcept {
    static_cast<stall_watch*>(context)->tell(what);
  };
  return chosen;
}

}  // namespace

runtime_state::runtime_state(runtime& owner, runtime_options chosen, crew workers, bool spin,
                             std::string backend_name, std::string reason,
                             sched::virtual_clock* clock)
    : facade(owner),
      options(std::move(chosen)),
      backend_reason(std::move(reason)),
      table(new netpoll::desc_table(options.name)),
      descriptors(*table),
      stalls(options),
      quota(std::move(workers.quota)),
      scheduler(settings_for(options, workers.workers, workers.most, quota, spin, clock,
                             descriptors, stalls),
                netpoll::make_backend(backend_name,
                                      {descriptors, workers.most, options.sysmon, detail::give_back,
                                       detail::make_ready},
                                      backend_reason)),
      model(scheduler.poller().model()),
      pool(settle(options.pool, workers.most)) {
  descriptors.serve(scheduler.poller());
  root.runtime = this;
  root.on_empty = [](task_group& group) noexcept {
    runtime_state& self = *group.runtime;
    {
      const std::lock_guard guard(self.drain_lock);
      self.drained.notify_all();
    }
    if (self.scheduler.settings().clock != nullptr) self.scheduler.settings().clock->report_ended();
  };
  if (options.sysmon) sysmon.emplace(scheduler);
}

runtime_state::~runtime_state() {
  pool.end();
  sysmon.reset();
  scheduler.shut_down();
  descriptors.stop_serving();
  // Handles that outlive the runtime leave the timers of their deadlines behind.
  for (const auto& p : scheduler.processors()) p->timers.clear();
}

}  // namespace detail

runtime::runtime(runtime_options options) : runtime(std::move(options), nullptr) {}

runtime::runtime(runtime_options options, sched::virtual_clock* clock) {
  check_options(options);
  detail::runtime_state::crew crew;
  crew.workers = options.workers != 0 ? options.workers : read_workers_variable();
  detail::cpu_limit limit;
  const bool follows = crew.workers == 0;
  if (follows) crew.workers = detail::usable_cpus(limit);
  crew.most = crew.workers;
  std::string backend = options.backend;
  std::string reason = "option";
  if (const char* asked = std::getenv("COVE_BACKEND");
      backend.empty() && asked != nullptr && *asked != '\0') {
    backend = asked;
    reason = "COVE_BACKEND";
  } else if (backend.empty()) {
    reason = "default";
  }
  if (options.name.empty()) options.name = next_name();
  // A quota would have to pay for what spins.
  const bool spin = options.spin && detail::affine_cpus() >= 2 && limit.read() == limit.none;
  if (follows && options.sysmon) {
    crew.most = std::min(detail::affine_cpus(), 2 * crew.workers);
    crew.quota.emplace(std::move(limit));
  }
  state_ = new detail::runtime_state(*this, std::move(options), std::move(crew), spin,
                                     std::move(backend), std::move(reason), clock);
}

runtime::~runtime() {
  const detail::task_ctl* task = detail::current_task();
  COVE_CHECK(task == nullptr || task->runtime != state_,
             "a runtime was destroyed by one of its own tasks, which it would wait for");
  // A moment for tasks that only have to unwind, before anything is reported.
  constexpr std::int64_t moment_ns = 200'000'000;
  if (!stop_within(moment_ns)) {
    std::unique_lock guard(state_->drain_lock);
    state_->drained.wait(guard, [this] {
      const detail::spin_guard members(state_->root.lock);
      return state_->root.running == 0;
    });
  }
  delete state_;
}

detail::task_group& runtime::root_group() noexcept { return state_->root; }

void runtime::request_stop() noexcept {
  detail::task_group& root = state_->root;
  {
    const detail::spin_guard members(root.lock);
    root.closed.store(true, std::memory_order_relaxed);
  }
  detail::stop_reason none = detail::stop_reason::none;
  // seq_cst: stored before any task is asked, as trigger() does.
  if (root.scope.triggered.compare_exchange_strong(none, detail::stop_reason::canceled,
                                                   std::memory_order_seq_cst)) {
    detail::task_list woken;
    detail::ask_all(root, woken);
    detail::make_ready(woken);
  }
}

bool runtime::stop_within(std::int64_t limit_ns) {
  request_stop();
  const auto empty = [&root = state_->root] {
    const detail::spin_guard members(root.lock);
    return root.running == 0;
  };
  {
    std::unique_lock guard(state_->drain_lock);
    if (limit_ns == INT64_MAX) {
      state_->drained.wait(guard, empty);
      return true;
    }
    if (state_->drained.wait_for(guard, std::chrono::nanoseconds(limit_ns), empty)) return true;
  }
  detail::log(detail::log_level::warning,
              "runtime \"" + name() + "\" is stopping; still running:\n" + report());
  return false;
}

void runtime::refuse_inside_task() {
  if (detail::current_task() != nullptr)
    throw error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                "blocking call inside a task",
                "co_await instead: the worker would wait for itself");
}

void runtime::block_thread(detail::task_ctl& task) {
  sched::parker sleep;
  std::uintptr_t running = 0;
  const std::uintptr_t me = reinterpret_cast<std::uintptr_t>(&sleep) + 1;
  // acq_rel: see "The join word" in spawn.cpp.
  if (task.join.compare_exchange_strong(running, me, std::memory_order_acq_rel)) sleep.park();
}

std::string runtime::report() const { return detail::report_tasks(*state_); }

const std::string& runtime::name() const noexcept { return state_->options.name; }

std::string_view runtime::backend() const noexcept { return state_->scheduler.poller().name(); }

std::string_view runtime::backend_reason() const noexcept { return state_->backend_reason; }

runtime* runtime::current() noexcept {
  const detail::task_ctl* task = detail::current_task();
  return task != nullptr ? &task->runtime->facade : nullptr;
}

}  // namespace cove
