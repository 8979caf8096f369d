// Many jobs, few at once, in two forms. A pool of tasks that take jobs from a bounded channel: who
// makes them is held back while the channel is full, and a job that fails is counted and harms no
// other. And for_each_concurrent, where the jobs are the parts of one: the first failure ends it.
//
//     build/release/examples/worker_pool --jobs 1000 --pool 4 --queue 8 --fail-every 100

#include "support/options.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <numeric>
#include <vector>

using namespace std::chrono_literals;

struct plan {
  unsigned jobs = 200;
  unsigned pool = 4;
  unsigned queue = 8;
  unsigned fail_every = 0;  ///< 0: none fails.
};

/// What came of it. Written by tasks on any worker.
struct tally {
  std::atomic<unsigned> done{0};
  std::atomic<unsigned> failed{0};
  std::atomic<unsigned> running{0};
  std::atomic<unsigned> most_running{0};
};

/// Says for how long it lives that one more job runs.
class running_job {
 public:
  explicit running_job(tally& all) : all_(all) {
    const unsigned now = ++all_.running;
    for (unsigned most = all_.most_running; most < now;)
      if (all_.most_running.compare_exchange_weak(most, now)) break;
  }
  running_job(const running_job&) = delete;
  running_job& operator=(const running_job&) = delete;
  ~running_job() { --all_.running; }

 private:
  tally& all_;
};

/// Some job: it waits for something, and may fail.
cove::task<> do_job(unsigned number, const plan& what, tally& all) {
  const running_job counted(all);
  co_await cove::this_task::sleep_for(number % 5 * 200us);
  if (what.fail_every != 0 && number % what.fail_every == 0)
    throw std::runtime_error("job " + std::to_string(number) + " has failed");
  ++all.done;
}

/// One of the pool: works until there are no more jobs.
cove::task<> work(cove::channel<unsigned>& jobs, const plan& what, tally& all) {
  while (const auto number = co_await jobs.receive()) {
    try {
      co_await do_job(*number, what, all);
    } catch (const cove::canceled&) {
      throw;  // It has not failed: this task was asked to end.
    } catch (const std::exception&) {
      ++all.failed;
    }
  }
}

/// Makes the jobs; how often it had to wait for room. The channel never holds more than its
/// capacity, so memory stays bounded however fast jobs are made.
cove::task<unsigned> make_jobs(cove::channel<unsigned>& jobs, unsigned count) {
  unsigned held_back = 0;
  for (unsigned number = 1; number <= count; ++number) {
    if (jobs.try_send(number)) continue;
    ++held_back;
    co_await jobs.send(number);
  }
  jobs.close();  // Who receives gets what is there, then the end.
  co_return held_back;
}

cove::task<unsigned> feed_workers(cove::channel<unsigned>& jobs, const plan& what, tally& all,
                                  cove::scope& workers) {
  for (unsigned i = 0; i < what.pool; ++i)
    workers.spawn(work, std::ref(jobs), std::cref(what), std::ref(all)).detach();
  co_return co_await make_jobs(jobs, what.jobs);
}

cove::task<> run_pool(const plan& what) {
  cove::channel<unsigned> jobs(what.queue);
  tally all;
  auto pool = std::bind_front(feed_workers, std::ref(jobs), std::cref(what), std::ref(all));
  const unsigned held_back = co_await cove::with_scope(std::move(pool));
  std::printf("pool: %u done, %u failed; at most %u ran at once, %u had to wait for room\n",
              all.done.load(), all.failed.load(), all.most_running.load(), held_back);
}

cove::task<> run_each(const plan& what) {
  std::vector<unsigned> jobs(what.jobs);
  std::iota(jobs.begin(), jobs.end(), 1);
  tally all;
  std::string why = "none";
  try {
    const auto job = [&](unsigned number) { return do_job(number, what, all); };
    co_await cove::for_each_concurrent(jobs, what.pool, job);
  } catch (const std::runtime_error& failure) {
    why = failure.what();
  }
  std::printf("each: %s were done; at most %u ran at once; the first failure: %s\n",
              all.done == what.jobs ? "all" : "some", all.most_running.load(), why.c_str());
}

cove::task<> run_both(plan what) {
  co_await run_pool(what);
  co_await run_each(what);
}

int main(int argc, char** argv) {
  plan what;
  cove::examples::options options("Does many jobs, few of them at once.");
  options.number("--jobs", what.jobs, "jobs to do");
  options.number("--pool", what.pool, "jobs that run at once");
  options.number("--queue", what.queue, "jobs that wait for their turn; then no more are made", 0);
  options.number("--fail-every", what.fail_every, "every so manieth job fails; 0: none", 0);
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), run_both, what);
}
