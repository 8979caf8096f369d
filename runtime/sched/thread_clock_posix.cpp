#include "sched/thread_clock.hpp"

#include <pthread.h>
#include <time.h>

namespace cove::sched {

thread_clock thread_clock::of_this_thread() noexcept {
  thread_clock made;
  // Its number can be below zero, but it is never that of "none", -1.
  if (clockid_t id = 0; ::pthread_getcpuclockid(::pthread_self(), &id) == 0) made.id_ = id;
  return made;
}

std::int64_t thread_clock::ns() const noexcept {
  timespec used{};
  if (id_ == -1 || ::clock_gettime(static_cast<clockid_t>(id_), &used) != 0) return -1;
  return used.tv_sec * 1'000'000'000 + used.tv_nsec;
}

}  // namespace cove::sched
