#include "cgroup_levels.hpp"

#include <doctest/doctest.h>

#include <ostream>  // doctest prints strings with it
#include <string>
#include <vector>

namespace {

using cove::detail::cgroup_levels;
using cove::detail::find_cpu_cgroup;
using folders = std::vector<std::string>;

constexpr const char* v2_mount = "35 24 0:30 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n";
constexpr const char* v1_mount =
    "40 35 0:34 / /sys/fs/cgroup/cpu rw shared:16 - cgroup cgroup rw,cpu,cpuacct\n";

folders found(const std::string& cgroup, const std::string& mounts) {
  return find_cpu_cgroup(cgroup, mounts).folders;
}

/// The folders below one mount of version 2 with this root.
folders found_under(const std::string& root, const std::string& path) {
  return found("0::" + path + "\n", "1 1 0:1 " + root + " /m rw - cgroup2 cgroup2 rw\n");
}

}  // namespace

TEST_CASE("version 2 is every level from the process's cgroup to the root") {
  const cgroup_levels at = find_cpu_cgroup("0::/user.slice/app.service\n", v2_mount);
  CHECK(at.unified);
  CHECK(at.folders == folders{"/sys/fs/cgroup/user.slice/app.service", "/sys/fs/cgroup/user.slice",
                              "/sys/fs/cgroup"});
  CHECK(found("0::/\n", v2_mount) == folders{"/sys/fs/cgroup"});
}

TEST_CASE("version 1 is the hierarchy that lists cpu, in any place, and no other") {
  for (const char* controllers : {"cpu", "cpu,cpuacct", "cpuacct,cpu", "cpuset,cpu,memory"}) {
    CAPTURE(controllers);
    const std::string mine = "7:" + std::string(controllers) + ":/a/b\n";
    const cgroup_levels at =
        find_cpu_cgroup("9:name=systemd:/x\n8:cpuset:/y\n" + mine + "2:cpuacct:/z\n", v1_mount);
    CHECK_FALSE(at.unified);
    CHECK(at.folders ==
          folders{"/sys/fs/cgroup/cpu/a/b", "/sys/fs/cgroup/cpu/a", "/sys/fs/cgroup/cpu"});
  }
  CHECK(found("8:cpuset:/y\n2:cpuacct:/z\n1:name=cpu:/z\n", v1_mount).empty());
}

TEST_CASE("a mount of version 1 is the controller's by its options, not by its name") {
  const std::string others =
      "39 35 0:33 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
      "41 35 0:35 / /cpu rw - cgroup cgroup rw,cpuacct\n"
      "42 35 0:36 / /cpu2 rw - cgroup2 cpu rw\n";
  CHECK(found("1:cpu:/a\n", others).empty());
  CHECK(found("1:cpu:/\n", others + "43 35 0:37 / /odd rw - cgroup none rw,cpuacct,cpu\n") ==
        folders{"/odd"});
}

TEST_CASE("on a hybrid system the hierarchy of version 1 that has cpu counts") {
  const std::string both = std::string(v2_mount) + v1_mount;
  const std::string cgroup = "4:cpuacct,cpu:/one\n0::/two\n";
  CHECK(found(cgroup, both) == folders{"/sys/fs/cgroup/cpu/one", "/sys/fs/cgroup/cpu"});
  CHECK(found("0::/two\n4:cpuacct,cpu:/one\n", both) == found(cgroup, both));
  // And where it is not mounted, version 2 does not have the controller either.
  CHECK(found(cgroup, v2_mount).empty());
  // Without it in version 1, it is in version 2, wherever that is mounted.
  CHECK(found("4:cpuset:/one\n0::/two\n",
              "41 35 0:35 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n") ==
        folders{"/sys/fs/cgroup/unified/two", "/sys/fs/cgroup/unified"});
}

TEST_CASE("a mount's root is cut from the path, and nothing above it is seen") {
  CHECK(found_under("/docker/1f", "/docker/1f") == folders{"/m"});
  CHECK(found_under("/docker/1f", "/docker/1f/init") == folders{"/m/init", "/m"});
  CHECK(found_under("/docker", "/docker/1f") == folders{"/m/1f", "/m"});
  // Other containers' parts, and one with a longer name, show nothing of ours.
  CHECK(found_under("/docker/2e", "/docker/1f").empty());
  CHECK(found_under("/docker/1f/init", "/docker/1f").empty());
  CHECK(found_under("/docker/1", "/docker/1f").empty());
}

TEST_CASE("in a cgroup namespace a root of dots is above us, and a path of dots outside") {
  CHECK(found_under("/..", "/../x") == folders{"/m/x", "/m"});
  CHECK(found_under("/../..", "/../..") == folders{"/m"});
  // Ancestors of ours, by names that nobody tells: only the mount's own quota.
  CHECK(found_under("/../..", "/") == folders{"/m"});
  CHECK(found_under("/../..", "/a/b") == folders{"/m"});
  CHECK(found_under("/../..", "/../a") == folders{"/m"});
  // A process that was moved out of what the mount shows.
  CHECK(found_under("/", "/..").empty());
  CHECK(found_under("/", "/../../other").empty());
  CHECK(found_under("/..", "/../../other").empty());
  CHECK(found_under("/../x", "/a").empty());
  CHECK(found_under("/../x", "/").empty());
  // Two dots begin a name like any other.
  CHECK(found_under("/", "/..a") == folders{"/m/..a", "/m"});
  CHECK(found_under("/..a", "/").empty());
}

TEST_CASE("names in mountinfo are written with octal escapes, those of cgroups plainly") {
  CHECK(
      found("0::/my app:1\\040\n", "1 1 0:1 / /mnt/c\\040g\\011\\134x rw - cgroup2 cgroup2 rw\n") ==
      folders{"/mnt/c g\t\\x/my app:1\\040", "/mnt/c g\t\\x"});
  CHECK(found("0::/a b/c\n", "1 1 0:1 /a\\040b /m rw - cgroup2 cgroup2 rw\n") ==
        folders{"/m/c", "/m"});
  CHECK(found("0::/\n", "1 1 0:1 / /m\\04 rw - cgroup2 cgroup2 rw\n") == folders{"/m\\04"});
  CHECK(found("0::/\n", "1 1 0:1 / /m\\089 rw - cgroup2 cgroup2 rw\n") == folders{"/m\\089"});
  CHECK(found("0::/\n", "1 1 0:1 / /m\\ rw - cgroup2 cgroup2 rw\n") == folders{"/m\\"});
}

TEST_CASE("of several mounts that one counts which shows most, and of equals the last") {
  const std::string all = "1 1 0:1 / /all rw - cgroup2 cgroup2 rw\n";
  const std::string part = "2 1 0:1 /a /part rw - cgroup2 cgroup2 rw\n";
  const std::string over = "3 1 0:1 / /over rw - cgroup2 cgroup2 rw\n";
  CHECK(found("0::/a\n", all + part) == folders{"/all/a", "/all"});
  CHECK(found("0::/a\n", part + all) == folders{"/all/a", "/all"});
  CHECK(found("0::/a\n", part + all + over) == folders{"/over/a", "/over"});
}

TEST_CASE("optional fields of a mount may be absent or many, and its source empty") {
  for (const char* middle : {"rw -", "rw shared:1 -", "rw shared:1 master:2 unbindable -"}) {
    for (const char* source : {"cgroup2 none", "cgroup2 ", "cgroup2 a\\040b"}) {
      CAPTURE(middle);
      CAPTURE(source);
      CHECK(found("0::/\n", "1 1 0:1 / /m " + std::string(middle) + " " + source +
                                " rw,nsdelegate\n") == folders{"/m"});
    }
  }
}

TEST_CASE("what is malformed is passed over, and what follows still counts") {
  for (const char* line : {"", "\n", ":", "::", "0", "0:", "0::", "0::a", "x:cpu",
                           "x:cpu:", "x:cpu:a", "0:x:/wrong", "1::/wrong", "\n\n:::\n"}) {
    CAPTURE(line);
    CHECK(found(line, v2_mount).empty());
    CHECK(found(std::string(line) + "\n0::/a\n", v2_mount) ==
          folders{"/sys/fs/cgroup/a", "/sys/fs/cgroup"});
  }
  for (const char* line :
       {"", " ", " - ", "-", " - cgroup2", "1 - cgroup2 a b", "1 1 0:1 - cgroup2 a b",
        "1 1 0:1 / - cgroup2 a b", "1 1 0:1 / m rw - cgroup2 a b", "1 1 0:1 x /m rw - cgroup2 a b",
        "1 1 0:1 / /m rw cgroup2 a b", "1 1 0:1 / /m rw - cgroup2x a b"}) {
    CAPTURE(line);
    CHECK(found("0::/\n", line).empty());
    CHECK(found("0::/\n", std::string(line) + "\n" + v2_mount) == folders{"/sys/fs/cgroup"});
  }
  CHECK(found("0::/", "1 1 0:1 / /m rw - cgroup2 a b") == folders{"/m"});
}
