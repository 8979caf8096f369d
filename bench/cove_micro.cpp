// What the scheduler costs, as `name value` lines in nanoseconds (bytes where the name says so).
// Names and meanings are those of the programs of other runtimes, so that they can be compared.
//
//     cove_micro [file]      writes to `file`; without it to standard output
//
// A value is the median of several runs. `_1t` and `_2t` are one and two workers. Rows of features
// that do not exist yet are left out.

#include <cove/io/file.hpp>
#include <cove/runtime.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using cove::task;

constexpr int runs = 7;

std::int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t cpu_ns() noexcept {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto ns = [](const timeval& t) { return (t.tv_sec * 1'000'000 + t.tv_usec) * 1'000; };
  return ns(used.ru_utime) + ns(used.ru_stime);
}

/// Bytes of memory this process really has.
std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

template <class Values>
auto at_quantile(Values values, double quantile) {
  std::sort(values.begin(), values.end());
  const auto index = static_cast<std::size_t>(quantile * static_cast<double>(values.size() - 1));
  return values[index];
}

/// Where the lines go.
std::FILE* out = stdout;

void print(const std::string& name, double value) {
  std::fprintf(out, "%s %.1f\n", name.c_str(), value);
  std::fflush(out);
}

cove::runtime_options workers(unsigned count) {
  cove::runtime_options options;
  options.workers = count;
  return options;
}

/// Prints the median of what `Body(count)` takes for each of its `count` operations.
template <class Body>
void each(const std::string& name, unsigned worker_count, std::size_t count, Body body) {
  cove::runtime runtime(workers(worker_count));
  runtime.block_on(body, count / 10 + 1);  // Warms caches and pools.
  std::vector<double> taken;
  for (int i = 0; i < runs; ++i) {
    const std::int64_t start = now_ns();
    runtime.block_on(body, count);
    taken.push_back(static_cast<double>(now_ns() - start) / static_cast<double>(count));
  }
  print(name + '_' + std::to_string(worker_count) + 't', at_quantile(taken, 0.5));
}

// ----- tasks -----

task<> nothing() { co_return; }
[[gnu::noinline]] task<std::size_t> add_one(std::size_t x) { co_return x + 1; }

task<> await_children(std::size_t count) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum = co_await add_one(sum);
  if (sum != count) std::abort();
}

task<> spawn_join_each(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    auto handle = cove::spawn(nothing);
    co_await handle;
  }
}

/// All at once, then all are joined.
task<> spawn_join_many(std::size_t count) {
  std::vector<cove::join_handle<>> handles;
  handles.reserve(count);
  for (std::size_t i = 0; i < count; ++i) handles.push_back(cove::spawn(nothing));
  for (auto& handle : handles) co_await handle;
}

task<> yield_often(std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) co_await cove::this_task::yield();
}

/// A thousand tasks give way in turn, `count` times in all.
task<> yield_1000(std::size_t count) {
  constexpr std::size_t tasks = 1000;
  std::vector<cove::join_handle<>> handles;
  handles.reserve(tasks);
  for (std::size_t i = 0; i < tasks; ++i)
    handles.push_back(cove::spawn(yield_often, count / tasks));
  for (auto& handle : handles) co_await handle;
}

// ----- locks -----

task<> lock_often(cove::mutex* m, std::size_t times, bool keep) {
  for (std::size_t i = 0; i < times; ++i) {
    auto guard = co_await m->lock();
    if (keep) co_await cove::this_task::yield();
  }
}

/// A hundred tasks take one mutex and give it back, `count` times in all.
task<> lock_by_hundred(std::size_t count, bool keep) {
  constexpr std::size_t tasks = 100;
  cove::mutex m;
  std::vector<cove::join_handle<>> handles;
  handles.reserve(tasks);
  for (std::size_t i = 0; i < tasks; ++i)
    handles.push_back(cove::spawn(lock_often, &m, count / tasks, keep));
  for (auto& handle : handles) co_await handle;
}

task<> mutex_100(std::size_t count) { return lock_by_hundred(count, false); }
task<> mutex_100_yield(std::size_t count) { return lock_by_hundred(count, true); }

// ----- channels -----

using channel = cove::channel<std::size_t>;

task<> echo(channel* there, channel* back) {
  while (auto each = co_await there->receive()) co_await back->send(*each);
}

/// A number goes there and back, `count` times.
template <std::size_t Capacity>
task<> chan_pingpong(std::size_t count) {
  channel there(Capacity);
  channel back(Capacity);
  auto peer = cove::spawn(echo, &there, &back);
  for (std::size_t i = 0; i < count; ++i) {
    co_await there.send(i);
    auto answer = co_await back.receive();
    if (answer != i) std::abort();
  }
  there.close();
  co_await peer;
}

task<> send_numbers(channel* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await to->send(i);
  to->close();
}

/// `count` numbers from one task to another.
task<> chan100_stream(std::size_t count) {
  channel numbers(100);
  auto sender = cove::spawn(send_numbers, &numbers, count);
  std::size_t received = 0;
  while (auto each = co_await numbers.receive()) ++received;
  if (received != count) std::abort();
  co_await sender;
}

// ----- time -----

constexpr std::size_t million = 1'000'000;

task<> sleep_long() { co_await cove::this_task::sleep_for(std::chrono::hours(1)); }

task<> set_limits(std::size_t count) {
  constexpr std::chrono::hours limit(1);
  for (std::size_t i = 0; i < count; ++i) co_await cove::with_timeout(nothing(), limit);
}

/// A timer is created and cancelled `count` times beside a million others.
task<> timer_beside_a_million(double* ns) {
  std::vector<cove::join_handle<>> sleepers;
  sleepers.reserve(million);
  for (std::size_t i = 0; i < million; ++i) sleepers.push_back(cove::spawn(sleep_long));
  co_await cove::this_task::yield();  // All have set their timers.
  constexpr std::size_t count = 100'000;
  std::vector<double> taken;
  for (int i = 0; i < runs; ++i) {
    const std::int64_t start = now_ns();
    co_await set_limits(count);
    taken.push_back(static_cast<double>(now_ns() - start) / static_cast<double>(count));
  }
  *ns = at_quantile(taken, 0.5);
  for (auto& sleeper : sleepers) sleeper.cancel();
  for (auto& sleeper : sleepers) static_cast<void>(co_await sleeper.as_result());
}

void timers() {
  cove::runtime runtime(workers(1));
  double ns = 0;
  runtime.block_on(timer_beside_a_million, &ns);
  print("timer_create_cancel_1m_1t", ns);
}

task<> sleep_a_little() { co_await cove::this_task::sleep_for(std::chrono::milliseconds(500)); }

/// A million tasks sleep once each: CPU time from spawn to join, and memory while they sleep.
task<> million_sleepers(std::int64_t* bytes) {
  const std::int64_t before = resident_bytes();
  std::vector<cove::join_handle<>> sleepers;
  sleepers.reserve(million);
  for (std::size_t i = 0; i < million; ++i) sleepers.push_back(cove::spawn(sleep_a_little));
  co_await cove::this_task::yield();
  *bytes = resident_bytes() - before;
  for (auto& sleeper : sleepers) co_await sleeper;
}

void sleepers() {
  cove::runtime runtime(workers(1));
  std::int64_t bytes = 0;
  const std::int64_t start = cpu_ns();
  runtime.block_on(million_sleepers, &bytes);
  print("sleep_tasks_1m_cpu_1t", static_cast<double>(cpu_ns() - start) / million);
  print("sleep_tasks_1m_rss_bytes_1t", static_cast<double>(bytes) / million);
}

/// How much later than after a millisecond a sleep ends.
task<> sleep_late(std::vector<std::int64_t>* late_ns) {
  constexpr std::chrono::nanoseconds time = std::chrono::milliseconds(1);
  for (std::int64_t& each : *late_ns) {
    const std::int64_t start = now_ns();
    co_await cove::this_task::sleep_for(time);
    each = now_ns() - start - time.count();
  }
}

void lateness() {
  cove::runtime runtime(workers(1));
  std::vector<std::int64_t> late_ns(1000);
  runtime.block_on(sleep_late, &late_ns);
  print("sleep_1ms_late_p50_1t", static_cast<double>(at_quantile(late_ns, 0.5)));
  print("sleep_1ms_late_p99_1t", static_cast<double>(at_quantile(late_ns, 0.99)));
}

task<> tell_time(std::int64_t* when) {
  *when = now_ns();
  co_return;
}

int answer() { return 42; }

/// From a task to a thread of the pool and back: two changes of threads.
task<> blocking_hop(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) static_cast<void>(co_await cove::blocking(answer));
}

// ----- files -----

constexpr std::size_t block_bytes = 4096;
constexpr std::size_t blocks = 256;

/// A file without a name, of so many blocks, which the system has in memory.
cove::io::file make_blocks() {
  const int fd = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) std::abort();
  const std::vector<char> zeros(block_bytes);
  for (std::size_t i = 0; i < blocks; ++i)
    if (::write(fd, zeros.data(), zeros.size()) != ssize_t{block_bytes}) std::abort();
  return cove::io::file::adopt(fd);
}

task<> read_blocks(cove::io::file* from, std::size_t first, std::size_t count) {
  std::vector<std::byte> block(block_bytes);
  for (std::size_t i = first; i < first + count; ++i) {
    const auto at = static_cast<std::int64_t>(i % blocks * block_bytes);
    const std::size_t n = co_await from->read_at(block, at);
    if (n != block_bytes) std::abort();
  }
}

/// 64 tasks read, `count` blocks in all.
task<> file_read_4k(std::size_t count) {
  constexpr std::size_t depth = 64;
  cove::io::file from = make_blocks();
  std::vector<cove::join_handle<>> handles;
  handles.reserve(depth);
  for (std::size_t i = 0; i < depth; ++i)
    handles.push_back(cove::spawn(read_blocks, &from, i, count / depth));
  for (auto& handle : handles) co_await handle;
}

/// From a thread that spawns a task on an idle runtime to the task's first line.
void idle_wake() {
  cove::runtime runtime(workers(1));
  std::vector<std::int64_t> taken;
  for (int i = 0; i < 1000; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(500));  // It parks meanwhile.
    std::int64_t seen = 0;
    const std::int64_t start = now_ns();
    runtime.block_on(tell_time, &seen);
    taken.push_back(seen - start);
  }
  print("wake_idle_p50", static_cast<double>(at_quantile(taken, 0.5)));
  print("wake_idle_p99", static_cast<double>(at_quantile(taken, 0.99)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
    std::fputs("usage: cove_micro [file]\n", stderr);
    return 2;
  }
  if (argc == 2 && (out = std::fopen(argv[1], "w")) == nullptr) {
    std::perror(argv[1]);
    return 1;
  }
  sleepers();  // First: what others have freed would hide the memory it takes.
  each("child_await", 1, 10 * million, await_children);
  each("spawn_join_each", 1, million, spawn_join_each);
  each("spawn_join_each", 2, million, spawn_join_each);
  each("spawn_join_1m", 1, million, spawn_join_many);
  each("spawn_join_1m", 2, million, spawn_join_many);
  each("yield_1000", 1, 5 * million, yield_1000);
  each("yield_1000", 2, 5 * million, yield_1000);
  each("mutex_100", 1, 5 * million, mutex_100);
  each("mutex_100", 2, 5 * million, mutex_100);
  each("mutex_100_yield", 1, million, mutex_100_yield);
  each("mutex_100_yield", 2, million, mutex_100_yield);

  for (const unsigned count : {1U, 2U}) {
    each("chan0_pingpong", count, million, chan_pingpong<0>);
    each("chan1_pingpong", count, million, chan_pingpong<1>);
    each("chan100_stream", count, 5 * million, chan100_stream);
  }
  timers();
  lateness();
  idle_wake();
  each("blocking_hop", 1, 50'000, blocking_hop);
  each("blocking_hop", 2, 50'000, blocking_hop);
  each("file_read_4k_d64", 1, 500'000, file_read_4k);
  each("file_read_4k_d64", 2, 500'000, file_read_4k);
  return out == stdout || std::fclose(out) == 0 ? 0 : 1;
}
