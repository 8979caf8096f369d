// What 100 000 stats cost: in a loop of the system's calls, and by fs::batch.
//
//     cove_stats [folder]      makes its files in there; without it in /tmp
//
// `name value` lines, in milliseconds for all of them. The two take turns, so that what else the
// machine does meets both alike; a value is the median of the rounds. Each has its paths as strings
// before its clock starts; that of the batch runs while the list is made and read, too.

#include <cove/io/fs_batch.hpp>
#include <cove/runtime.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

namespace fs = cove::io::fs;
using cove::task;

constexpr std::size_t files = 1000;
constexpr std::size_t stats = 100'000;
constexpr int rounds = 15;

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  return of[of.size() / 2];
}

void check(std::size_t sum) {
  if (sum == stats) return;
  std::fprintf(stderr, "cove_stats: a stat went wrong\n");
  std::exit(1);
}

double plain(const std::vector<std::string>& paths) {
  const auto start = std::chrono::steady_clock::now();
  std::size_t sum = 0;
  for (const std::string& each : paths) {
    struct stat found{};
    if (::stat(each.c_str(), &found) == 0) sum += static_cast<std::size_t>(found.st_size);
  }
  check(sum);
  return ms_since(start);
}

task<double> batch(const std::vector<std::string>* paths, unsigned threads) {
  const auto start = std::chrono::steady_clock::now();
  fs::batch jobs;
  std::vector<fs::batch::ticket<cove::io::file_status>> all;
  jobs.reserve(paths->size());
  all.reserve(paths->size());
  for (const std::string& each : *paths) all.push_back(jobs.add(fs::stat(each)));
  co_await jobs.run(threads);
  std::size_t sum = 0;
  for (const auto& each : all) sum += jobs[each].value().size;
  check(sum);
  co_return ms_since(start);
}

task<> measure(std::vector<std::string> paths) {
  std::vector<double> loops;
  std::vector<double> alone;
  std::vector<double> shared;
  for (int round = 0; round < rounds; ++round) {
    loops.push_back(plain(paths));
    alone.push_back(co_await batch(&paths, 1));
    shared.push_back(co_await batch(&paths, 0));
  }
  std::printf("plain_stat_100k %.2f\nfs_batch_stat_100k %.2f\nfs_batch_stat_100k_1_thread %.2f\n",
              median(loops), median(shared), median(alone));
  std::printf("fs_batch_ratio %.2f\nfs_batch_ratio_1_thread %.2f\n", median(shared) / median(loops),
              median(alone) / median(loops));
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = std::string(argc > 1 ? argv[1] : "/tmp") + "/cove-stats-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    std::perror(folder.c_str());
    return 1;
  }
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < stats; ++i) {
    paths.push_back(folder + "/file-" + std::to_string(i % files));
    if (i < files) std::ofstream(paths.back()) << 'x';
  }
  cove::runtime_options options;
  options.stall_after = std::chrono::milliseconds(0);  // The plain loop is meant to block.
  const int code = cove::run_with(options, measure, std::move(paths));
  std::filesystem::remove_all(folder);
  return code;
}
