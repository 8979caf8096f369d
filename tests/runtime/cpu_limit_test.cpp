#include "cpu_limit.hpp"

#include <cove/runtime.hpp>

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>  // doctest prints strings with it
#include <string>

#include "cgroup_levels.hpp"
#include "cpu_count.hpp"
#include "support/runtime_test.hpp"

namespace {

namespace fs = std::filesystem;
using cove::detail::affine_cpus;
using cove::detail::cgroup_levels;
using cove::detail::cpu_limit;
using cove::detail::find_cpu_cgroup;
using cove::detail::usable_cpus;
using cove::test::entries_of;
using cove::test::thread_waits_for;

constexpr unsigned none = cpu_limit::none;

/// A made-up system in a folder of its own: proc/ is the process's, cg/ where cgroups are mounted.
class made_up_system {
 public:
  made_up_system() {
    std::string name = (fs::temp_directory_path() / "cove-cpu-limit-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    home_ = name;
  }
  made_up_system(const made_up_system&) = delete;
  made_up_system& operator=(const made_up_system&) = delete;
  ~made_up_system() { fs::remove_all(home_); }

  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((home_ / file).parent_path());
    std::ofstream(home_ / file) << text;
  }
  /// The process is in `path` of version 2, all of which is mounted.
  void unified(const std::string& path) const {
    write("proc/cgroup", "0::" + path + "\n");
    write("proc/mountinfo", "1 1 0:1 / " + mount_point() + " rw - cgroup2 cgroup2 rw\n");
  }
  /// The same in version 1.
  void version_1(const std::string& path) const {
    write("proc/cgroup", "3:cpuacct,cpu:" + path + "\n");
    write("proc/mountinfo", "1 1 0:1 / " + mount_point() + " rw - cgroup cgroup rw,cpu,cpuacct\n");
  }
  void remove(const std::string& file) const { fs::remove_all(home_ / file); }
  std::string mount_point() const { return (home_ / "cg").string(); }
  std::string process() const { return (home_ / "proc").string(); }

 private:
  fs::path home_;
};

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Writes to a file of the real system, which is there already. False if that is refused.
bool set(const fs::path& file, const std::string& value) {
  std::ofstream out(file, std::ios::in | std::ios::out);
  out << value << std::flush;
  return out.good();
}

/// A real cgroup below that of this process, and one inside of it: `inner()`.
class real_cgroup {
 public:
  real_cgroup() {
    const cgroup_levels mine =
        find_cpu_cgroup(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo"));
    if (mine.folders.empty()) return;
    unified_ = mine.unified;
    folder_ = mine.folders.front() + "/cove-test-" + std::to_string(::getpid());
    std::error_code refused;
    made_ = fs::create_directories(inner(), refused);
  }
  real_cgroup(const real_cgroup&) = delete;
  real_cgroup& operator=(const real_cgroup&) = delete;
  ~real_cgroup() {
    for (const fs::path& each : {inner(), folder_}) {
      // The system may take a moment to see that its last process has ended.
      CHECK(thread_waits_for([&] { return ::rmdir(each.c_str()) == 0 || errno != EBUSY; }));
    }
  }

  /// False, with a message, where cgroups cannot be made.
  bool limit_to(const std::string& quota, const std::string& period) const {
    const bool done = made_ && (unified_ ? set(folder_ / "cpu.max", quota + " " + period)
                                         : set(folder_ / "cpu.cfs_period_us", period) &&
                                               set(folder_ / "cpu.cfs_quota_us", quota));
    if (!done) MESSAGE("skipped: no cgroup with a CPU quota can be made here");
    return done;
  }
  fs::path inner() const { return folder_ / "inner"; }

 private:
  bool unified_ = false;
  bool made_ = false;
  fs::path folder_;
};

/// What `f()` gives in a process of its own; below 256.
template <class F>
int in_child(F f) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(f());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool join(const fs::path& cgroup) { return set(cgroup / "cgroup.procs", "0"); }

/// What a process in one cgroup of version 2 with this cpu.max is left.
unsigned with_max(const std::string& text) {
  const made_up_system system;
  system.unified("/");
  system.write("cg/cpu.max", text);
  return cpu_limit(system.process()).read();
}

unsigned with_quota(const std::string& quota, const std::string& period) {
  const made_up_system system;
  system.version_1("/");
  system.write("cg/cpu.cfs_quota_us", quota);
  system.write("cg/cpu.cfs_period_us", period);
  return cpu_limit(system.process()).read();
}

}  // namespace

TEST_CASE("a quota of version 2 is rounded up to whole CPUs") {
  CHECK(with_max("max 100000\n") == none);
  CHECK(with_max("1000 100000\n") == 1);
  CHECK(with_max("100000 100000\n") == 1);
  CHECK(with_max("100001 100000\n") == 2);
  CHECK(with_max("250000 100000\n") == 3);
  CHECK(with_max("400000 100000\n") == 4);
  CHECK(with_max("90000 30000") == 3);
  CHECK(with_max("17592186044416 1000\n") == none);  // The kernel's largest quota.
}

TEST_CASE("a quota of version 1 is rounded up to whole CPUs") {
  CHECK(with_quota("-1\n", "100000\n") == none);
  CHECK(with_quota("50000\n", "100000\n") == 1);
  CHECK(with_quota("150000\n", "100000\n") == 2);
  CHECK(with_quota("800000\n", "100000\n") == 8);
}

TEST_CASE("a quota that makes no sense is none") {
  for (const char* text :
       {"", "\n", " ", "max", "100000", "100000 ", " 100000", "100000 0", "0 100000", "-5 100000",
        "1 -1", "a b", "1.5 1", "0x10 1", "100000 100000 7", "100000  100000",
        "99999999999999999999999 1", "1 99999999999999999999999"}) {
    CAPTURE(text);
    CHECK(with_max(text) == none);
    CHECK(with_max(std::string(text) + "\n") == none);
  }
  CHECK(with_max(std::string(5000, '1') + " 1\n") == none);
  CHECK(with_max(std::string("1\0 1\n", 5)) == none);
  CHECK(with_quota("100000\n", "0\n") == none);
  CHECK(with_quota("100000\n", "\n") == none);
  CHECK(with_quota("", "100000\n") == none);
  CHECK(with_quota("max\n", "100000\n") == none);
}

TEST_CASE("the smallest quota on the way up counts, wherever it stands") {
  for (const char* tight : {"cg/a/b/c", "cg/a/b", "cg/a", "cg"}) {
    CAPTURE(tight);
    const made_up_system system;
    for (const char* each : {"cg/a/b/c", "cg/a/b", "cg/a", "cg"}) {
      system.write(std::string(each) + "/cpu.max", "700000 100000\n");
      system.write(std::string(each) + "/cpu.cfs_quota_us", "700000\n");
      system.write(std::string(each) + "/cpu.cfs_period_us", "100000\n");
    }
    system.write(std::string(tight) + "/cpu.max", "150000 50000\n");
    system.write(std::string(tight) + "/cpu.cfs_quota_us", "250000\n");
    system.write("cg/a/b/c/d/cpu.max", "1000 100000\n");  // A child's, not ours.
    system.unified("/a/b/c");
    CHECK(cpu_limit(system.process()).read() == 3);
    system.version_1("/a/b/c");
    CHECK(cpu_limit(system.process()).read() == 3);
  }
}

TEST_CASE("levels without a file, or that set no quota, do not hide the others") {
  const made_up_system system;
  system.unified("/a/b/c");
  CHECK(cpu_limit(system.process()).read() == none);
  system.write("cg/a/b/c/cgroup.procs", "1\n");
  system.write("cg/a/b/cpu.max", "max 100000\n");
  system.write("cg/a/cpu.max", "500000 100000\n");
  CHECK(cpu_limit(system.process()).read() == 5);
}

TEST_CASE("a mount point with a space in its name is found") {
  const made_up_system system;
  system.write("proc/cgroup", "0::/my app\n");
  system.write("proc/mountinfo",
               "1 1 0:1 / " + system.mount_point() + "/c\\040g rw - cgroup2 cgroup2 rw\n");
  system.write("cg/c g/my app/cpu.max", "600000 100000\n");
  CHECK(cpu_limit(system.process()).read() == 6);
}

TEST_CASE("without the files of the process there is no limit, and they are looked for again") {
  const made_up_system system;
  cpu_limit limit(system.process());
  CHECK(limit.read() == none);
  system.write("proc/cgroup", "0::/\n");
  CHECK(limit.read() == none);
  system.unified("/");
  CHECK(limit.read() == none);
  system.write("cg/cpu.max", "200000 100000\n");
  CHECK(limit.read() == 2);
}

TEST_CASE("files of any length are read to their end") {
  const made_up_system system;
  std::string cgroups;
  std::string mounts;
  for (int i = 0; i < 500; ++i) {
    cgroups +=
        std::to_string(i + 2) + ":name=n" + std::to_string(i) + ":/" + std::string(200, 'x') + "\n";
    mounts += "1 1 0:1 / /m" + std::to_string(i) + " rw - ext4 /dev/x rw," +
              std::string(1000, 'o') + "\n";
  }
  system.write("proc/cgroup", cgroups + "0::/a\n");
  system.write("proc/mountinfo",
               mounts + "1 1 0:1 / " + system.mount_point() + " rw - cgroup2 cgroup2 rw\n");
  system.write("cg/a/cpu.max", "300000 100000\n");
  CHECK(cpu_limit(system.process()).read() == 3);
}

TEST_CASE("a limit that changes is seen by the next reading, with no descriptor more") {
  const made_up_system system;
  system.unified("/a");
  system.write("cg/a/cpu.max", "300000 100000\n");
  cpu_limit limit(system.process());
  CHECK(limit.read() == 3);
  const std::size_t descriptors = entries_of("/proc/self/fd");
  system.write("cg/a/cpu.max", "100000 100000\n");
  CHECK(limit.read() == 1);
  system.write("cg/a/cpu.max", "max 100000\n");
  CHECK(limit.read() == none);
  CHECK(entries_of("/proc/self/fd") == descriptors);
  // As when the controller is enabled further up.
  system.write("cg/cpu.max", "200000 100000\n");
  CHECK(limit.read() == 2);
}

TEST_CASE("a process that is moved is followed, and its old cgroup's files are closed") {
  const made_up_system system;
  const std::size_t descriptors = entries_of("/proc/self/fd");
  {
    system.unified("/a/b");
    system.write("cg/a/b/cpu.max", "300000 100000\n");
    system.write("cg/c/cpu.max", "500000 100000\n");
    cpu_limit limit(system.process());
    CHECK(limit.read() == 3);
    const std::size_t open = entries_of("/proc/self/fd");
    CHECK(open == descriptors + 2);
    system.unified("/c");
    CHECK(limit.read() == 5);
    CHECK(entries_of("/proc/self/fd") == open);
    // Where it goes cannot be told: what was known still counts.
    system.remove("proc/mountinfo");
    system.write("proc/cgroup", "0::/a/b\n");
    CHECK(limit.read() == 5);
    system.unified("/a/b");
    CHECK(limit.read() == 3);
  }
  CHECK(entries_of("/proc/self/fd") == descriptors);
}

TEST_CASE("the affinity mask is the most, and one CPU the least") {
  const made_up_system system;
  system.unified("/");
  cpu_limit limit(system.process());
  CHECK(usable_cpus(limit) == affine_cpus());
  system.write("cg/cpu.max", "100000000 1000\n");
  CHECK(usable_cpus(limit) == affine_cpus());
  system.write("cg/cpu.max", "1 100000\n");
  CHECK(usable_cpus(limit) == 1);
  CHECK(affine_cpus() >= 1);
}

TEST_CASE("a quota of the real system is found by a process that is moved below it") {
  const real_cgroup cgroup;
  if (!cgroup.limit_to("150000", "100000")) return;
  const int cpus = in_child([&] {
    cpu_limit limit;
    limit.read();
    return join(cgroup.inner()) ? static_cast<int>(std::min(limit.read(), 255u)) : -1;
  });
  CHECK(cpus == static_cast<int>(std::min(cpu_limit().read(), 2u)));
}

TEST_CASE("a runtime takes one worker where the quota is less than a CPU, unless it is told") {
  const real_cgroup cgroup;
  if (!cgroup.limit_to("50000", "100000")) return;
  const int workers = in_child([&] {
    ::unsetenv("COVE_WORKERS");
    if (!join(cgroup.inner())) return -1;
    return static_cast<int>(cove::runtime().stats().workers);
  });
  CHECK(workers == 1);
  const int told = in_child([&] {
    ::setenv("COVE_WORKERS", "3", 1);
    if (!join(cgroup.inner())) return -1;
    return static_cast<int>(cove::runtime().stats().workers);
  });
  CHECK(told == 3);
}

TEST_CASE("a runtime that has a CPU quota does not spin") {
  const real_cgroup cgroup;
  // More than any machine has, so that only the spinning can differ.
  if (!cgroup.limit_to("1000000000", "100000")) return;
  const bool spins = cove::runtime().stats().spin;
  CHECK(spins == (affine_cpus() >= 2 && cpu_limit().read() == none));
  const int spins_under_quota = in_child([&] {
    if (!join(cgroup.inner())) return -1;
    return cove::runtime().stats().spin ? 1 : 0;
  });
  CHECK(spins_under_quota == 0);
}
