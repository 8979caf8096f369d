#pragma once

#include "kept_file.hpp"

#include <climits>
#include <string>
#include <vector>

namespace cove::detail {

/// The CPU time that this process gets by the quotas of its cgroups, in CPUs. It may change at any
/// time, and is made to be read about once a second: the files stay open.
///
/// Threads:  one at a time.
class cpu_limit {
 public:
  static constexpr unsigned none = UINT_MAX;

  /// `process` is the folder that has the files `cgroup` and `mountinfo`.
  explicit cpu_limit(std::string process = "/proc/self");

  /// The smallest quota on the way up from the process's cgroup, rounded up to whole CPUs: at least
  /// 1. `none` if there is none, or none can be read.
  unsigned read() noexcept;

 private:
  /// One cgroup.
  struct level {
    kept_file quota;
    kept_file period;  // Version 1 only; version 2 has both in one file.
  };

  void follow_moves();
  unsigned read_level(level& at) noexcept;

  std::string process_;
  kept_file membership_;
  std::string last_cgroup_;  // What membership_ said when levels_ were looked for.
  std::string cgroup_;       // What it says now; a member so that its memory is used again.
  bool unified_ = false;
  std::vector<level> levels_;
};

}  // namespace cove::detail
