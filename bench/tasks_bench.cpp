// What tasks cost: awaiting a child, spawning and joining, yielding, a limit around an await. The
// argument of each is the number of workers. Run: build/release/bench/cove-bench

#include <cove/runtime.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace {

[[gnu::noinline]] cove::task<int> add_one(int x) { co_return x + 1; }
cove::task<> nothing() { co_return; }
cove::task<> yield_often(int times) {
  for (int i = 0; i < times; ++i) co_await cove::this_task::yield();
}

cove::task<> await_children(benchmark::State* state) {
  int sum = 0;
  for (auto _ : *state) sum = co_await add_one(sum);
  benchmark::DoNotOptimize(sum);
}

cove::task<> spawn_and_join(benchmark::State* state) {
  for (auto _ : *state) {
    auto handle = cove::spawn(nothing);
    co_await handle;
  }
}

cove::task<> spawn_many(benchmark::State* state) {
  constexpr std::size_t many = 10'000;
  std::vector<cove::join_handle<>> handles;
  handles.reserve(many);
  for (auto _ : *state) {
    for (std::size_t i = 0; i < many; ++i) handles.push_back(cove::spawn(nothing));
    for (auto& handle : handles) co_await handle;
    handles.clear();
  }
  state->SetItemsProcessed(state->iterations() * static_cast<std::int64_t>(many));
}

cove::task<> yield_1000(benchmark::State* state) {
  constexpr int tasks = 1000;
  constexpr int times = 100;
  for (auto _ : *state) {
    std::vector<cove::join_handle<>> handles;
    handles.reserve(tasks);
    for (int i = 0; i < tasks; ++i) handles.push_back(cove::spawn(yield_often, times));
    for (auto& handle : handles) co_await handle;
  }
  state->SetItemsProcessed(state->iterations() * tasks * times);
}

cove::task<> limit_children(benchmark::State* state) {
  int sum = 0;
  for (auto _ : *state) sum = co_await cove::with_timeout(add_one(sum), std::chrono::seconds(30));
  benchmark::DoNotOptimize(sum);
}

template <cove::task<> (*Body)(benchmark::State*)>
void on_workers(benchmark::State& state) {
  cove::runtime_options options;
  options.workers = static_cast<unsigned>(state.range(0));
  cove::runtime runtime(options);
  runtime.block_on(Body, &state);
}

BENCHMARK(on_workers<await_children>)->Name("child_await")->Arg(1);
BENCHMARK(on_workers<spawn_and_join>)->Name("spawn_join_each")->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(on_workers<spawn_many>)->Name("spawn_join_many")->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(on_workers<yield_1000>)->Name("yield_1000")->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(on_workers<limit_children>)->Name("with_timeout")->Arg(1);

}  // namespace

BENCHMARK_MAIN();
