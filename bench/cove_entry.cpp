// What it costs to enter the runtime from user code, as `name value` lines.
//
//     cove_entry                 each loop a billion times; ns for a turn, the median of five parts
//     cove_entry NAME COUNT      one of them, for bench/entry_cost, which counts instructions
//
//   floor              calls a function that does nothing, as all others do inside of theirs
//   tenure             what takes part in the hand-off of a processor: enter() and leave()
//   guard_without      runtime_entry as it would be if nobody took processors away
//   guard              runtime_entry
//   blocking_scope     one where nothing happens

#include "sched/runtime_entry.hpp"

#include <cove/runtime.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace entry_cost {

using cove::sched::machine;
using cove::sched::processor;
using cove::sched::runtime_entry;
using cove::sched::scheduler;
using cove::sched::this_machine;

/// What is done inside of an entry: some function, of which the compiler knows nothing.
[[gnu::noinline]] void work(const processor* p) { asm volatile("" : : "r"(p) : "memory"); }

/// The guard but for its tenure.
class bare_entry {
 public:
  explicit bare_entry(scheduler& s) noexcept {
    machine* m = this_machine();
    if (m == nullptr || &m->owner != &s) return;
    p_ = m->p;
    if (s.settings().entry_without_p != 0 && m->draw() % s.settings().entry_without_p == 0)
      p_ = nullptr;
  }
  processor* p() const noexcept { return p_; }

 private:
  processor* p_ = nullptr;
};

// Loops, so that what a function needs to begin and to end is not counted: that of the entries is
// needed anyway. callgrind knows these by their names.

[[gnu::noinline]] void loop_floor(machine& m, long count) {
  for (; count > 0; --count) work(m.p);
}

[[gnu::noinline]] void loop_tenure(machine& m, long count) {
  for (; count > 0; --count) {
    const auto before = m.presence.enter();
    work(m.p);
    m.presence.leave(before);
  }
}

[[gnu::noinline]] void loop_guard_without(machine& m, long count) {
  for (; count > 0; --count) {
    const bare_entry entry(m.owner);
    work(entry.p());
  }
}

[[gnu::noinline]] void loop_guard(machine& m, long count) {
  for (; count > 0; --count) {
    const runtime_entry entry(m.owner);
    work(entry.p());
  }
}

[[gnu::noinline]] void loop_blocking_scope(machine& m, long count) {
  for (; count > 0; --count) {
    const cove::blocking_scope blocks;
    work(m.p);
  }
}

struct loop {
  const char* name;
  void (*run)(machine& m, long count);
};
constexpr std::array loops{loop{"floor", loop_floor}, loop{"tenure", loop_tenure},
                           loop{"guard_without", loop_guard_without}, loop{"guard", loop_guard},
                           loop{"blocking_scope", loop_blocking_scope}};

/// In user code of a worker, where entries come from.
cove::task<> run(const loop* which, long count) {
  which->run(*this_machine(), count);
  co_return;
}

/// They take turns, so that a slow moment of the machine meets all of them.
void measure_all(cove::runtime& in) {
  constexpr std::size_t parts = 5;
  constexpr long count = 1'000'000'000 / parts;
  std::array<std::array<double, parts>, loops.size()> ns{};
  for (std::size_t part = 0; part < parts; ++part) {
    for (std::size_t i = 0; i < loops.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      in.block_on(run, &loops[i], count);
      const std::chrono::duration<double, std::nano> took =
          std::chrono::steady_clock::now() - start;
      ns[i][part] = took.count() / count;
    }
  }
  for (std::size_t i = 0; i < loops.size(); ++i) {
    std::sort(ns[i].begin(), ns[i].end());
    std::printf("%s %.2f\n", loops[i].name, ns[i][parts / 2]);
  }
}

bool run_one(cove::runtime& in, std::string_view name, const char* count_text) {
  char* end = nullptr;
  const long count = std::strtol(count_text, &end, 10);
  if (*end != '\0' || count <= 0) return false;
  const auto which = std::find_if(loops.begin(), loops.end(),
                                  [name](const loop& each) { return each.name == name; });
  if (which == loops.end()) return false;
  in.block_on(run, &*which, count);
  return true;
}

}  // namespace entry_cost

int main(int argc, char** argv) {
  cove::runtime_options options;
  options.workers = 1;
  options.sysmon = false;  // It would have something to say about a task that never waits.
  cove::runtime in(std::move(options));
  if (argc == 1) {
    entry_cost::measure_all(in);
    return 0;
  }
  if (argc == 3 && entry_cost::run_one(in, argv[1], argv[2])) return 0;
  std::fputs("usage: cove_entry [NAME COUNT]\n", stderr);
  return 2;
}
