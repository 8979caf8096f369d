#include "sched/run_queue.hpp"

#include <cove/runtime/detail/spin_lock.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "support/stress.hpp"

namespace {

struct job {
  job* next = nullptr;
  // Plain, so that ThreadSanitizer objects if a queue passes a job on without ordering.
  std::uint64_t payload = 0;
  std::atomic<unsigned> taken{0};
};

template <unsigned Capacity>
struct arena {
  using queue = cove::sched::run_queue<job, Capacity>;

  std::vector<job> jobs;
  std::vector<queue> queues;
  std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint64_t> damaged{0};
  std::atomic<bool> stuck{false};

  cove::detail::spin_lock lock;
  // Under lock: what overflowed.
  job* global = nullptr;

  arena(std::uint64_t count, unsigned workers) : jobs(count), queues(workers) {}

  /// All are taken; or nothing has moved for so long that some must be lost.
  bool over() const {
    return taken.load(std::memory_order_relaxed) >= jobs.size() ||
           stuck.load(std::memory_order_relaxed);
  }

  void take(job* one) {
    const auto number = static_cast<std::uint64_t>(one - jobs.data());
    if (one->payload != number + 1) ++damaged;
    one->payload = number + 2;
    one->taken.fetch_add(1, std::memory_order_relaxed);
    taken.fetch_add(1, std::memory_order_relaxed);
  }

  void push(queue& mine, job* one) {
    unsigned count = 0;
    job* batch = mine.push(one, count);
    if (batch == nullptr) return;
    unsigned length = 1;
    for (const job* each = batch; each != one; each = each->next) ++length;
    if (length != count || one->next != nullptr) ++damaged;
    const cove::detail::spin_guard hold(lock);
    one->next = global;
    global = batch;
  }

  job* take_global() {
    const cove::detail::spin_guard hold(lock);
    job* one = global;
    if (one != nullptr) global = one->next;
    return one;
  }

  /// The owner of queue 0 brings all jobs and takes some of them itself.
  void produce(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    queue& mine = queues[0];
    for (std::uint64_t made = 0; made < jobs.size();) {
      const std::uint64_t draw = random();
      // Bursts fill the ring; the gaps between them let it run empty.
      for (std::uint64_t burst = draw % (2 * Capacity); burst != 0 && made < jobs.size(); --burst) {
        job* one = &jobs[made];
        one->payload = ++made;
        if ((draw >> 32 & 3) == 0) {
          one = mine.push_next(one);
        }
        if (one != nullptr) push(mine, one);
      }
      for (std::uint64_t burst = (draw >> 40) % (2 * Capacity); burst != 0; --burst) {
        job* one = (burst & 3) == 0 ? mine.take_next() : mine.pop();
        if (one != nullptr) take(one);
      }
    }
    work(mine, random);
  }

  void work(queue& mine, std::mt19937_64& random) {
    using clock = std::chrono::steady_clock;
    std::uint64_t taken_before = 0;
    clock::time_point moved = clock::now();
    for (std::uint32_t idle = 0; !over();) {
      if (run_one(mine, random)) continue;
      std::this_thread::yield();
      if (++idle % 1024 != 0) continue;
      if (const std::uint64_t now_taken = taken; now_taken != taken_before) {
        taken_before = now_taken;
        moved = clock::now();
      } else if (clock::now() - moved > std::chrono::seconds(20)) {
        stuck = true;
      }
    }
  }

  /// Takes a job from wherever there is one; false if it found none.
  bool run_one(queue& mine, std::mt19937_64& random) {
    job* one = mine.take_next();
    if (one == nullptr) one = mine.pop();
    if (one == nullptr) {
      queue& victim = queues[random() % queues.size()];
      if (&victim != &mine) one = victim.steal_into(mine, random() % 2 == 0);
    }
    if (one == nullptr) one = take_global();
    if (one == nullptr) return false;
    // Now and then a stolen task is pushed again, as one that woke up would be.
    if (random() % 4 == 0) {
      if (job* displaced = mine.push_next(one)) push(mine, displaced);
    } else {
      take(one);
    }
    return true;
  }

  void steal(std::size_t number, std::uint64_t seed) {
    std::mt19937_64 random(seed + number);
    work(queues[number], random);
  }
};

template <unsigned Capacity>
void every_job_is_taken_once(std::uint64_t count, unsigned limit, std::uint64_t seed) {
  constexpr unsigned thieves = 3;
  CAPTURE(limit);
  arena<Capacity> all(count, thieves + 1);
  for (auto& each : all.queues) each.set_limit(limit);
  std::vector<std::thread> threads;
  for (unsigned i = 1; i <= thieves; ++i) threads.emplace_back([&, i] { all.steal(i, seed); });
  all.produce(seed);
  for (auto& each : threads) each.join();

  std::uint64_t wrong = 0;
  for (const job& each : all.jobs) {
    if (each.taken != 1) ++wrong;
  }
  CHECK_FALSE(all.stuck);
  CHECK(wrong == 0);
  CHECK(all.damaged == 0);
  for (auto& each : all.queues) CHECK(each.empty());
  CHECK(all.global == nullptr);
}

TEST_CASE("an owner and three thieves take a million tasks, each of them once") {
  every_job_is_taken_once<256>(cove::test::stress_rounds(1000000), 256, cove::test::stress_seed());
}

TEST_CASE("an owner and three thieves lose no task of rings that overflow all the time") {
  const std::uint64_t seed = cove::test::stress_seed();
  const std::uint64_t count = cove::test::stress_rounds(200000);
  every_job_is_taken_once<4>(count, 4, seed);
  every_job_is_taken_once<4>(count, 3, seed + 1);
  every_job_is_taken_once<4>(count, 1, seed + 2);
  every_job_is_taken_once<256>(count, 2, seed + 3);
}

TEST_CASE("a queue that is never empty never says so while its tasks change places") {
  cove::sched::run_queue<job, 4> queue;
  job first;
  job second;
  std::atomic<bool> stop{false};
  std::uint64_t said_empty = 0;
  std::uint64_t looked = 0;
  REQUIRE(queue.push_next(&first) == nullptr);
  std::thread observer([&] {
    for (; !stop.load(std::memory_order_relaxed); ++looked) {
      if (queue.empty()) ++said_empty;
    }
  });
  std::uint64_t wrong = 0;
  unsigned count = 0;
  job* waiting = &first;
  job* coming = &second;
  const std::uint64_t rounds = cove::test::stress_rounds(3000000);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    // The slot's task moves to the ring, the new one comes and goes: slot and ring change turns.
    if (queue.push_next(coming) != waiting) ++wrong;
    if (queue.push(waiting, count) != nullptr) ++wrong;
    if (queue.take_next() != coming) ++wrong;
    if (queue.push_next(coming) != nullptr) ++wrong;
    if (queue.pop() != waiting) ++wrong;
    std::swap(waiting, coming);
  }
  stop = true;
  observer.join();
  CHECK(wrong == 0);
  CHECK(said_empty == 0);
  CHECK(looked > 0);
}

}  // namespace
