#include "cpu_limit.hpp"

#include "cgroup_levels.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

// The quota of a cgroup is so much CPU time in each period for all its threads together; who has
// used it up stands still until the next period begins. A cgroup is also held to its parents'
// quotas, so the smallest counts. (Go 1.25 reads the process's own cgroup only: golang/go#81180.)
//
// Rounded up, as Go does: with 2.5 CPUs, two workers could never use the last half. Three are
// stopped for a sixth of the time if all are always busy, and not at all if they are not. Go never
// goes below 2 CPUs, but two busy workers on a quota of one CPU stand still for half of each
// period, and every task with them, where one worker never does. That a task may hold this one up
// is no reason for a second: a worker that is stuck loses its processor to another thread.
//
// Each reading asks again which cgroup the process is in, since container managers and systemd move
// processes that run already. A file that was not there (version 2 has `cpu.max` only while the
// controller is enabled) is tried again, too.

namespace cove::detail {
namespace {

/// The first line, if it is a whole one of a file of this kind.
std::string_view read_line(kept_file& file, char (&room)[64]) noexcept {
  const std::int64_t size = file.read(room, sizeof room, 0);
  if (size <= 0 || size == sizeof room) return {};
  const std::string_view text(room, static_cast<std::size_t>(size));
  return text.substr(0, text.find('\n'));
}

/// 0 if it is no number: "max" and -1, which mean no limit, and what makes no sense.
std::uint64_t number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [stop, why] = std::from_chars(begin, end, value);
  return why == std::errc{} && stop == end ? value : 0;
}

unsigned whole_cpus(std::string_view quota, std::string_view period) noexcept {
  const std::uint64_t part = number(quota);
  const std::uint64_t whole = number(period);
  if (part == 0 || whole == 0) return cpu_limit::none;
  const std::uint64_t cpus = part / whole + (part % whole != 0 ? 1 : 0);
  return static_cast<unsigned>(std::min<std::uint64_t>(cpus, cpu_limit::none));
}

}  // namespace

cpu_limit::cpu_limit(std::string process)
    : process_(std::move(process)), membership_(process_ + "/cgroup") {}

unsigned cpu_limit::read() noexcept {
  try {
    follow_moves();
  } catch (const std::bad_alloc&) {
    // What was found before still counts, and the next reading looks again.
  }
  unsigned least = none;
  for (level& at : levels_) least = std::min(least, read_level(at));
  return least;
}

void cpu_limit::follow_moves() {
  if (!membership_.read_all(cgroup_) || cgroup_ == last_cgroup_) return;
  std::string mounts;
  if (!kept_file(process_ + "/mountinfo").read_all(mounts)) return;
  const cgroup_levels found = find_cpu_cgroup(cgroup_, mounts);
  std::vector<level> levels;
  levels.reserve(found.folders.size());
  for (const std::string& folder : found.folders)
    levels.push_back({kept_file(folder + (found.unified ? "/cpu.max" : "/cpu.cfs_quota_us")),
                      kept_file(folder + "/cpu.cfs_period_us")});
  unified_ = found.unified;
  levels_.swap(levels);
  last_cgroup_.swap(cgroup_);
}

unsigned cpu_limit::read_level(level& at) noexcept {
  char quota_room[64];
  char period_room[64];
  const std::string_view quota = read_line(at.quota, quota_room);
  if (!unified_) return whole_cpus(quota, read_line(at.period, period_room));
  const std::size_t space = quota.find(' ');
  return space == quota.npos ? none : whole_cpus(quota.substr(0, space), quota.substr(space + 1));
}

}  // namespace cove::detail
