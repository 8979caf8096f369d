// How late echoes and timers are while workers are stuck in user code, and while the pool is.
//
//     cove_stuck                      half a minute; a table for bench/README.md
//     cove_stuck --way nobody|pooled|asleep|computing
//                --backend NAME --workers N --tasks N --seconds S
//
// Tasks sleep in the kernel for half a second or compute for as long, again and again: as many as
// there are workers, or --tasks. Meanwhile a thread with plain sockets asks other tasks for echoes,
// and yet other tasks sleep to times of their own. Beside them a thread without a runtime sleeps to
// such times, too: as late as it is, anything is on this machine under this load.
//
// With `pooled` it is the pool that is stuck: every thread of every lane sleeps, and as many calls
// wait behind them. `nobody` is the same without that, and the two must not differ.
//
// The goal, for the 99th percentile: 25 ms while workers are asleep, as the scheduler sees after 10
// to 15 ms that a thread blocks. While they compute, their threads are on the CPUs besides, so it
// is 4 ms more for each on one CPU.

#include "program.hpp"

#include <getopt.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using stuck::setup;
using stuck::way;

/// Those to try, one after the other.
struct choices {
  std::vector<way> ways{way::nobody, way::pooled, way::asleep, way::computing};
  std::vector<std::string> backends;
  std::vector<unsigned> workers{1, 2, 8};
  unsigned tasks = 0;  ///< 0: as many as workers.
  double seconds = 2;
};

[[noreturn]] void usage() {
  std::fputs(
      "usage: cove_stuck [--way nobody|pooled|asleep|computing] [--backend NAME] [--workers N] "
      "[--tasks N] "
      "[--seconds S]\n",
      stderr);
  std::exit(2);
}

double number(const char* text, double least) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= least && value <= 1000)) usage();
  return value;
}

struct known_way {
  way which;
  const char* name;
};
constexpr known_way known_ways[] = {{way::nobody, "nobody"},
                                    {way::pooled, "pooled"},
                                    {way::asleep, "asleep"},
                                    {way::computing, "computing"}};

way way_of(std::string_view text) {
  for (const known_way& each : known_ways)
    if (text == each.name) return each.which;
  usage();
}
const char* name_of(way which) {
  for (const known_way& each : known_ways)
    if (which == each.which) return each.name;
  return "";
}

choices parse_arguments(int argc, char** argv) {
  constexpr option known[] = {
      {"way", required_argument, nullptr, 'y'},     {"backend", required_argument, nullptr, 'b'},
      {"workers", required_argument, nullptr, 'w'}, {"tasks", required_argument, nullptr, 't'},
      {"seconds", required_argument, nullptr, 's'}, {nullptr, 0, nullptr, 0}};
  choices result;
  int which = 0;
  while ((which = getopt_long(argc, argv, "", known, nullptr)) != -1) {
    switch (which) {
      case 'y': result.ways = {way_of(optarg)}; break;
      case 'b': result.backends = {optarg}; break;
      case 'w': result.workers = {static_cast<unsigned>(number(optarg, 1))}; break;
      case 't': result.tasks = static_cast<unsigned>(number(optarg, 1)); break;
      case 's': result.seconds = number(optarg, 0.1); break;
      default: usage();
    }
  }
  if (optind != argc) usage();
  if (result.backends.empty() && std::getenv("COVE_BACKEND") != nullptr) result.backends = {""};
  if (result.backends.empty()) result.backends = {"epoll", "io_uring"};
  return result;
}

unsigned cpus() { return std::max(std::thread::hardware_concurrency(), 1U); }

/// Zero: there is none.
double goal_ms(const setup& of) {
  if (of.how == way::asleep) return 25;
  if (of.how != way::computing) return 0;
  return 25 + 4 * std::ceil(static_cast<double>(of.tasks) / cpus());
}

void print(const stuck::lateness& seen) {
  std::printf(" %.2f / %.1f / %.1f |", seen.at_ms(0.5), seen.at_ms(0.99), seen.at_ms(1));
}

void try_out(const setup& wanted) {
  const stuck::figures found = stuck::measure(wanted);
  const double goal = goal_ms(wanted);
  const bool met = found.echoes.at_ms(0.99) < goal && found.timers.at_ms(0.99) < goal;
  std::printf("| %u %s | %s | %u |", goal == 0 ? 0 : wanted.tasks, name_of(wanted.how),
              found.backend.c_str(), wanted.workers);
  print(found.echoes);
  print(found.timers);
  print(found.raw);
  if (goal == 0)
    std::printf(" – |");
  else
    std::printf(" %.0f, %s |", goal, met ? "met" : "missed");
  std::printf(" %llu | %u |\n", static_cast<unsigned long long>(found.hand_offs), found.threads);
  std::fflush(stdout);
}

/// The kernel's tick: what its coarse clock counts in.
double tick_ms() {
  timespec tick{};
  ::clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
  return static_cast<double>(tick.tv_nsec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) try {
  const choices all = parse_arguments(argc, argv);
  std::printf("%u CPUs; the kernel's tick is %.0f ms. p50 / p99 / worst, in ms:\n\n", cpus(),
              tick_ms());
  std::puts(
      "| tasks | backend | workers | echoes | timers | a plain thread | goal for p99 "
      "| hand-offs | threads |");
  std::puts("|---|---|---|---|---|---|---|---|---|");
  for (const way how : all.ways)
    for (const std::string& backend : all.backends)
      for (const unsigned workers : all.workers)
        try_out({how, backend, workers, all.tasks != 0 ? all.tasks : workers,
                 std::chrono::duration<double>(all.seconds)});
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "cove_stuck: %s\n", failure.what());
  return 1;
}
