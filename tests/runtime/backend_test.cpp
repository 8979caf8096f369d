#include "support/runtime_test.hpp"
#include "support/system_call_filter.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

// Which backend a runtime gets, and what it says of that. What a system refuses is refused here in
// a child process, because neither a filter nor a limit can be taken back.

namespace {

using namespace cove::test;
using cove::runtime;
using cove::runtime_options;
using cove::task;

runtime_options options_for(std::string_view backend) {
  runtime_options options = plain_options(2);
  options.backend = backend;
  return options;
}

/// What a child process wrote to its standard error, and how it ended.
struct child_report {
  std::string text;
  int status = -1;
};

/// Runs `body` in a child process, whose standard error is read.
template <class Body>
child_report in_child(Body body) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    body();
    std::fflush(stderr);
    ::_exit(0);
  }
  REQUIRE(child > 0);
  ::close(ends[1]);
  child_report report;
  std::array<char, 4096> part;
  for (ssize_t n = 0; (n = ::read(ends[0], part.data(), part.size())) > 0;)
    report.text.append(part.data(), static_cast<std::size_t>(n));
  ::close(ends[0]);
  REQUIRE(::waitpid(child, &report.status, 0) == child);
  return report;
}

/// Makes runtimes that ask for `backend`, has each do something, and writes what they say.
void try_runtimes(std::string_view backend, int count) {
  const auto nothing = []() -> task<> { co_await cove::this_task::yield(); };
  for (int i = 0; i < count; ++i) {
    try {
      runtime in(options_for(backend));
      in.block_on(nothing);
      std::fprintf(stderr, "got %s (%s)\n", std::string(in.backend()).c_str(),
                   std::string(in.backend_reason()).c_str());
    } catch (const cove::error& refused) {
      std::fprintf(stderr, "refused: %s\n", refused.what());
    }
  }
}

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}
bool contains(const std::string& text, std::string_view part) { return count_of(text, part) != 0; }

/// An environment variable of a child process.
void set_variable(const char* name, const char* value) {
  if (value != nullptr)
    ::setenv(name, value, 1);
  else
    ::unsetenv(name);
}

/// Without io_uring there is nothing to deny.
bool has_io_uring() {
  const child_report plain = in_child([] {
    set_variable("COVE_IO_URING_KERNEL", nullptr);
    try_runtimes("io_uring", 1);
  });
  if (contains(plain.text, "got io_uring (option)")) return true;
  MESSAGE("this system has no io_uring, so nothing of it can be denied");
  return false;
}

struct denial {
  std::string_view rule;
  std::string_view says;  ///< The call that was refused, and how.
  std::string_view remedy;
};

constexpr std::array denials{
    denial{"io_uring_setup=EPERM", "io_uring_setup: operation not permitted", "seccomp filter"},
    denial{"io_uring_setup=EACCES", "io_uring_setup: permission denied", "seccomp filter"},
    denial{"io_uring_setup=ENOSYS", "io_uring_setup: function not implemented",
           "built without io_uring"},
    denial{"io_uring_enter=EPERM", "io_uring_enter: operation not permitted", "seccomp filter"},
};

}  // namespace

TEST_CASE("M18 io_uring denied by a filter: epoll takes its place, with the reason, logged once") {
  if (!has_io_uring()) return;
  for (const denial& each : denials) {
    const child_report report = in_child([&each] {
      set_variable("COVE_IO_URING_KERNEL", nullptr);
      const auto rule = denied_call_from(each.rule);
      if (!rule || !deny(*rule)) std::fprintf(stderr, "no filters here\n");
      try_runtimes("io_uring", 3);
    });
    if (contains(report.text, "no filters here")) {
      MESSAGE("this system has no filters of system calls");
      return;
    }
    CAPTURE(report.text);
    CHECK(report.status == 0);
    const std::string got = "got epoll (option; no io_uring: " + std::string(each.says);
    CHECK(count_of(report.text, got) == 3);
    CHECK(contains(report.text, each.remedy));
    CHECK(count_of(report.text, "using epoll in place of io_uring: ") == 1);
  }
}

TEST_CASE("M18 registration denied by a filter leaves the rest of io_uring in use") {
  if (!has_io_uring()) return;
  const child_report report = in_child([] {
    set_variable("COVE_IO_URING_KERNEL", nullptr);
    const auto rule = denied_call_from("io_uring_register=EPERM");
    if (rule && deny(*rule)) try_runtimes("io_uring", 1);
  });
  CAPTURE(report.text);
  CHECK(report.status == 0);
  CHECK((report.text.empty() || contains(report.text, "got io_uring (option)")));
}

TEST_CASE("M18 a kernel that is too old for io_uring is answered with epoll, and said to be so") {
  if (!has_io_uring()) return;
  const auto with_kernel = [](const char* version) {
    return in_child([version] {
             set_variable("COVE_IO_URING_KERNEL", version);
             try_runtimes("io_uring", 2);
           })
        .text;
  };
  for (const char* enough : {"5.11", "5.15", "5.15.3", "6.1"})
    CHECK(count_of(with_kernel(enough), "got io_uring (option)") == 2);
  for (const char* old : {"5.4", "5.10", "4.19"}) {
    const std::string text = with_kernel(old);
    CAPTURE(text);
    CHECK(count_of(text, "got epoll (option; no io_uring: ") == 2);
    CHECK(count_of(text, "using epoll in place of io_uring: ") == 1);
    CHECK(contains(text, "Linux 5.11 or newer is needed"));
  }
}

TEST_CASE("a version to imitate that is none is refused, and not answered with another backend") {
  for (const char* bad : {"new", "5", "5.", ".4", "-1.2", "5,15"}) {
    const child_report report = in_child([bad] {
      set_variable("COVE_IO_URING_KERNEL", bad);
      try_runtimes("io_uring", 1);
    });
    CAPTURE(report.text);
    CHECK(contains(report.text, "refused: COVE_IO_URING_KERNEL=\"" + std::string(bad) + "\""));
    CHECK(contains(report.text, "give a version like 5.15"));
    CHECK_FALSE(contains(report.text, "using epoll"));
  }
}

/// Open descriptors among the first ones; /proc would need one itself.
int descriptors_in_use() {
  int count = 0;
  for (int number = 0; number < 256; ++number)
    if (::fcntl(number, F_GETFD) != -1) ++count;
  return count;
}

/// Makes runtimes with more and more descriptors to be had, from none on.
void try_with_few_descriptors(std::string_view backend) {
  for (int number = 3; number < 256; ++number) ::close(number);
  const int before = descriptors_in_use();
  for (int spare = 0; spare <= 6; ++spare) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 3 + static_cast<rlim_t>(spare);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    try_runtimes(backend, 1);
    if (descriptors_in_use() != before) std::fprintf(stderr, "some are left\n");
  }
}

TEST_CASE("M18 without descriptors for a backend the next one is taken; without any it is said") {
  // UBSan needs descriptors itself to look at what was thrown.
  if (sanitized || !has_io_uring()) return;
  const std::string uring = in_child([] { try_with_few_descriptors("io_uring"); }).text;
  const std::string epoll = in_child([] { try_with_few_descriptors("epoll"); }).text;
  CAPTURE(uring);
  CAPTURE(epoll);
  CHECK_FALSE(contains(uring + epoll, "some are left"));
  // With none, with two or three, and with all that it takes.
  const std::size_t refused = uring.find("refused: ");
  const std::size_t instead = uring.find("got epoll (option; no io_uring: ");
  const std::size_t given = uring.find("got io_uring (option)");
  CHECK(refused < instead);
  CHECK(instead < given);
  CHECK(given != std::string::npos);
  CHECK(epoll.find("refused: ") < epoll.find("got epoll (option)"));
  CHECK(contains(epoll, "too many open files (EMFILE)"));
  CHECK(count_of(uring, "using epoll in place of io_uring: ") == 1);
}

TEST_CASE("M18 the reason for a backend says who asked for it, and the option goes first") {
  const auto with_variable = [](const char* value, std::string_view option) {
    return in_child([value, option] {
             set_variable("COVE_BACKEND", value);
             try_runtimes(option, 1);
           })
        .text;
  };
  CHECK(with_variable(nullptr, "") == "got epoll (default)\n");
  CHECK(with_variable("", "") == "got epoll (default)\n");
  CHECK(with_variable("epoll", "") == "got epoll (COVE_BACKEND)\n");
  CHECK(with_variable("nonsense", "epoll") == "got epoll (option)\n");
  for (const std::string& unknown :
       {with_variable("nonsense", ""), with_variable(nullptr, "nonsense")}) {
    CAPTURE(unknown);
    CHECK(contains(unknown, "refused: backend \"nonsense\": invalid argument (EINVAL)"));
    CHECK(contains(unknown, "this build has: epoll, "));
  }
}
