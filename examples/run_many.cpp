// Runs shell commands, some at a time, and prints what each of them wrote when it has ended: whole,
// not mixed with the others'. Ctrl-C kills those that run, waits for them, and tells what was left
// undone. The exit code is that of `xargs`: 123 if any of them failed.
//
//     build/release/examples/run_many --jobs 2 'echo one' 'sleep 1; echo two' 'exit 3'
//     build/release/examples/run_many --jobs 8 --limit 10s 'make -C a' 'make -C b'

#include "support/options.hpp"

#include <cove/io/process.hpp>
#include <cove/io/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <functional>
#include <numeric>
#include <optional>

using cove::io::process;

struct plan {
  std::vector<std::string> commands;
  unsigned jobs = 4;
  unsigned most = 1'000'000;          ///< Bytes of output, and of errors, that one may write.
  std::chrono::nanoseconds limit{0};  ///< For each; zero: none.
};

struct tally {
  std::size_t ended = 0;
  std::size_t failed = 0;
};

void print_outcome(const std::string& text, const cove::io::process_output& outcome) {
  std::fputs(outcome.out.c_str(), stdout);
  std::fflush(stdout);
  std::fputs(outcome.err.c_str(), stderr);
  if (!outcome.status.success())
    std::fprintf(stderr, "run_many: \"%s\": %s\n", text.c_str(), to_string(outcome.status).c_str());
}

cove::task<> run_one(const plan& what, tally& all, cove::strand& printing, std::size_t number) {
  const std::string& text = what.commands[number];
  auto running = process::output(cove::io::command("/bin/sh", "-c", text), what.most);
  const auto limit = what.limit == what.limit.zero() ? std::chrono::hours(24 * 365) : what.limit;
  std::optional<cove::io::process_output> outcome;
  std::string failure;
  try {
    outcome = co_await cove::with_timeout(std::move(running), limit);
  } catch (const cove::canceled&) {
    co_return;  // All of us are to end.
  } catch (const cove::error& why) {
    failure = why.what();
  }
  // One at a time: the lines of two commands do not mix, and the tally needs no lock.
  const auto tell = [&] {
    ++all.ended;
    if (outcome) {
      print_outcome(text, *outcome);
      all.failed += outcome->status.success() ? 0 : 1;
    } else {
      std::fprintf(stderr, "run_many: \"%s\": %s\n", text.c_str(), failure.c_str());
      ++all.failed;
    }
  };
  co_await printing.run(tell);
}

cove::task<> run_all(const plan& what, tally& all) {
  std::vector<std::size_t> numbers(what.commands.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  cove::strand printing;
  const auto job = [&](std::size_t number) { return run_one(what, all, printing, number); };
  co_await cove::for_each_concurrent(numbers, what.jobs, job);
}

cove::task<int> run(plan what) {
  cove::io::signal_set signals(SIGINT, SIGTERM);
  tally all;
  const auto first = co_await cove::race(run_all(what, all), signals.wait());
  const std::size_t left = what.commands.size() - all.ended;
  if (first.index == 1) {
    std::fprintf(stderr, "run_many: stopped; %zu of %zu were not run to their end\n", left,
                 what.commands.size());
    co_return 128 + std::get<1>(first.results).value();
  }
  co_return all.failed == 0 ? 0 : 123;
}

int main(int argc, char** argv) {
  plan what;
  cove::examples::options options("Runs shell commands, some at a time.");
  options.texts("commands", what.commands, "what to run, each by /bin/sh -c");
  options.number("--jobs", what.jobs, "how many run at once", 1, 1000);
  options.number("--most", what.most, "bytes that one may write before it is killed");
  options.duration("--limit", what.limit, "what each has before it is killed; default: any time");
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), run, what);
}
