#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cove::detail {

/// The cgroups whose CPU quotas hold for a process.
struct cgroup_levels {
  bool unified = false;  ///< Version 2, with `cpu.max`; else version 1, with `cpu.cfs_*_us`.
  /// Folders of the process's cgroup and then of its parents, up to where the hierarchy is mounted.
  std::vector<std::string> folders;
};

/// Reads the two texts that the system has about this: /proc/PID/cgroup, cgroups(7), and
/// /proc/PID/mountinfo, proc_pid_mountinfo(5). No folders if the process has no CPU controller, or
/// if none of its cgroups can be seen. What is malformed is passed over.
cgroup_levels find_cpu_cgroup(std::string_view cgroup, std::string_view mountinfo);

}  // namespace cove::detail
