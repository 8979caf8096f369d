#include "pool/lane.hpp"

#include "pool/set_up_thread.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace cove::pool {
namespace {

std::int64_t monotonic_ns() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

/// Waits for `ended`, or until so long after a moment. False: it was not to be.
template <class Predicate>
bool wait_until(std::condition_variable& bell, std::unique_lock<std::mutex>& guard,
                std::int64_t moment_ns, std::int64_t after_ns, Predicate ended) noexcept {
  constexpr std::int64_t year_ns = 365LL * 24 * 3600 * 1'000'000'000;
  const std::chrono::nanoseconds when(moment_ns + std::min(after_ns, year_ns));
  return bell.wait_until(guard, std::chrono::steady_clock::time_point(when), ended);
}

}  // namespace

admission lane::submit(job& which, bool refusable) noexcept {
  which.since_ns = monotonic_ns();
  seat* called = nullptr;
  {
    const std::lock_guard guard(lock_);
    if (refusable && settings_.refuses && queue_.size() >= settings_.queue_max)
      return ++told_.refused, admission::full;
    if (queue_.size() >= coming_.load(std::memory_order_relaxed)) {
      called = bring();
      if (threads_ == 0) return ++told_.refused, admission::no_thread;
    }
    queue_.push(which);
  }
  // The lane is still here: it ends after all tasks, and that of the job has not been parked yet.
  if (called != nullptr) called->bell.notify_one();
  return admission::submitted;
}

bool lane::take_back(job& which) noexcept {
  const std::lock_guard guard(lock_);
  if (!which.queued) return false;
  queue_.remove(which);
  ++told_.taken_back;
  return true;
}

/// One thread more for what is queued, if there may be: a worker, or the scout. Gives it if it was
/// there already, so that the caller rings its bell.
lane::seat* lane::bring() noexcept {
  const bool worker = workers_ < allowed_;
  if (!worker && (scout_ != nullptr || allowed_ >= settings_.threads_max)) return nullptr;
  seat* one = asleep_;
  if (one != nullptr) {
    asleep_ = one->below;
  } else if (scout_ != nullptr) {
    one = std::exchange(scout_, nullptr);
  } else {
    if (seat* started = start_thread(); started != nullptr)
      take_part(*started, worker ? part::worker : part::scout);
    return nullptr;
  }
  take_part(*one, worker ? part::worker : part::scout);
  return one;
}

void lane::take_part(seat& one, part which) noexcept {
  one.now = which;
  if (which == part::scout) {
    scout_ = &one;
  } else {
    ++workers_;
    coming_.fetch_add(1, std::memory_order_relaxed);
  }
}

/// The lock is held meanwhile, but that happens only as often as threads are wanting. Null if the
/// system gives none.
lane::seat* lane::start_thread() noexcept {
  try {
    if (free_ == nullptr) free_ = &seats_.emplace_back();
    seat& one = *free_;
    if (one.thread.joinable()) one.before = std::move(one.thread);
    const auto number = static_cast<unsigned>(told_.threads_started) + 1;
    one.thread = std::thread([this, &one, number] { work(one, number); });
    ++told_.threads_started;
    free_ = one.below;
    ++threads_;
    return &one;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void lane::work(seat& mine, unsigned number) noexcept {
  set_up_thread(settings_.name, number);
  // It needs the lock no more, but may still destroy what the program keeps for each thread.
  if (mine.before.joinable()) mine.before.join();
  std::unique_lock guard(lock_);
  while (mine.now != part::none) {
    if (mine.now == part::worker)
      run_next(mine, guard);
    else if (mine.now == part::scout)
      look_out(mine, guard);
    else
      doze(mine, guard);
  }
}

void lane::run_next(seat& mine, std::unique_lock<std::mutex>& guard) noexcept {
  coming_.fetch_sub(1, std::memory_order_relaxed);
  job* next = queue_.pop();
  if (next == nullptr) {
    --workers_;
    mine.now = part::asleep;
    mine.below = std::exchange(asleep_, &mine);
    return;
  }
  begin(*next);
  guard.unlock();
  next->kind->run(*next);
  // Before it is handed back: who has its outcome finds it counted, and this thread coming.
  finished_.fetch_add(1, std::memory_order_relaxed);
  running_.fetch_sub(1, std::memory_order_relaxed);
  coming_.fetch_add(1, std::memory_order_relaxed);
  next->kind->hand_back(*next);
  guard.lock();
}

void lane::begin(const job& which) noexcept {
  running_.fetch_add(1, std::memory_order_relaxed);
  const std::int64_t waited = std::max<std::int64_t>(0, monotonic_ns() - which.since_ns);
  told_.waited_ns += waited;
  told_.waited_most_ns = std::max(told_.waited_most_ns, waited);
}

void lane::look_out(seat& mine, std::unique_lock<std::mutex>& guard) noexcept {
  const job* first = queue_.front();
  if (first == nullptr) {
    scout_ = nullptr;
    mine.now = part::asleep;
    mine.below = std::exchange(asleep_, &mine);
    return;
  }
  const auto called = [&mine] { return mine.now != part::scout; };
  if (monotonic_ns() - first->since_ns < settings_.grow_after_ns) {
    wait_until(mine.bell, guard, first->since_ns, settings_.grow_after_ns, called);
    return;
  }
  scout_ = nullptr;
  if (workers_ == allowed_) ++allowed_;
  take_part(mine, part::worker);
  if (queue_.size() <= coming_.load(std::memory_order_relaxed)) return;
  if (seat* next = bring(); next != nullptr) next->bell.notify_one();
}

void lane::doze(seat& mine, std::unique_lock<std::mutex>& guard) noexcept {
  const auto called = [&mine] { return mine.now != part::asleep; };
  if (!ending_ && wait_until(mine.bell, guard, monotonic_ns(), settings_.keep_ns, called)) return;
  seat** link = &asleep_;
  while (*link != &mine) link = &(*link)->below;
  *link = mine.below;
  leave(mine);
}

void lane::leave(seat& mine) noexcept {
  mine.now = part::none;
  mine.below = std::exchange(free_, &mine);
  --threads_;
  allowed_ = std::max(settings_.threads, std::min(allowed_, threads_));
}

void lane::end() noexcept {
  {
    const std::lock_guard guard(lock_);
    COVE_CHECK(queue_.size() == 0, "a lane of the pool ends before its jobs");
    ending_ = true;
    // Those asleep have to look again, and so has the scout: both find that this is the end.
    while (asleep_ != nullptr) {
      seat& one = *asleep_;
      asleep_ = one.below;
      take_part(one, part::worker);
    }
    if (scout_ != nullptr) take_part(*std::exchange(scout_, nullptr), part::worker);
  }
  for (seat& each : seats_) {
    each.bell.notify_one();
    for (std::thread* one : {&each.thread, &each.before})
      if (one->joinable()) one->join();
  }
}

lane_counts lane::count() noexcept {
  const std::lock_guard guard(lock_);
  lane_counts all = told_;
  all.threads = threads_;
  all.queued = std::min(queue_.size(), settings_.queue_max);
  all.at_door = queue_.size() - all.queued;
  all.running = running_.load(std::memory_order_relaxed);
  all.finished = finished_.load(std::memory_order_relaxed);
  return all;
}

}  // namespace cove::pool
