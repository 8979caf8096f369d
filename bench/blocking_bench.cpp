// What a call on the pool costs that does nothing: two changes of threads. The arguments are the
// number of workers and of tasks that call at once. Run: build/release/bench/cove-blocking-bench

#include <cove/runtime.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace {

int answer() { return 42; }

cove::task<> call_often(int times) {
  for (; times > 0; --times) benchmark::DoNotOptimize(co_await cove::blocking(answer));
}

cove::task<> hop(benchmark::State* state) {
  constexpr int calls = 1024;
  const auto callers = static_cast<int>(state->range(1));
  for (auto _ : *state) {
    std::vector<cove::join_handle<>> all;
    all.reserve(static_cast<std::size_t>(callers));
    for (int i = 0; i < callers; ++i) all.push_back(cove::spawn(call_often, calls / callers));
    for (auto& each : all) co_await each;
  }
  state->SetItemsProcessed(state->iterations() * calls);
}

void blocking_hop(benchmark::State& state) {
  cove::runtime_options options;
  options.workers = static_cast<unsigned>(state.range(0));
  cove::runtime runtime(options);
  runtime.block_on(hop, &state);
}

BENCHMARK(blocking_hop)->ArgsProduct({{1, 2}, {1, 64}})->UseRealTime()->MeasureProcessCPUTime();

}  // namespace

BENCHMARK_MAIN();
