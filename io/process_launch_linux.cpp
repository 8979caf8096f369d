#include "process_launch.hpp"

#include "process_start.hpp"

#include <cove/runtime/detail/own_number.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <limits>
#include <memory>

// This process's side of a start: what the child will have is opened here, each of it close-on-exec
// from its first moment, and what the child says of a failure becomes an error with a remedy. The
// child's side stands in process_start.hpp.

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace cove::io::detail {
namespace {

using cove::detail::descriptor;
using cove::detail::descriptor_kind;
using cove::detail::own_number;
using kind = launch_access::kind;

constexpr std::array stream_names{"input", "output", "errors"};

std::string name_of(std::size_t number) {
  if (number < stream_names.size()) return stream_names[number];
  return "descriptor " + std::to_string(number);
}

[[noreturn]] void fail(const command& how, int error, const std::string& at,
                       std::string_view remedy = {}) {
  std::string where = "spawn \"" + how.program + "\"";
  if (!at.empty()) where += ": " + at;
  throw cove::error(system_error_code(error), where, remedy);
}

/// What the child gets, and this process's ends of pipes; closed again by whoever drops it.
struct prepared {
  std::vector<descriptor> owned;
  std::vector<int> numbers;  ///< At n what becomes the child's descriptor n.
  std::array<descriptor, 3> ends;

  int keep(int fd) {
    owned.emplace_back(fd, descriptor_kind::other);
    return fd;
  }
};

int open_file(const command& how, const stdio& what, std::size_t number) {
  const std::string& path = launch_access::path_of(what);
  const bool appends = launch_access::kind_of(what) == kind::append;
  int flags = O_RDONLY;
  if (number != 0) flags = O_WRONLY | O_CREAT | (appends ? O_APPEND : O_TRUNC);
  for (;;) {
    const int fd = own_number(::open(path.c_str(), flags | O_CLOEXEC, 0666));
    if (fd >= 0) return fd;
    if (errno != EINTR) fail(how, errno, name_of(number) + " \"" + path + "\"");
  }
}

int open_pipe(const command& how, std::size_t number, prepared& into) {
  int made[2];
  if (::pipe2(made, O_CLOEXEC) != 0 || !cove::detail::own_numbers(made))
    fail(how, errno, name_of(number) + ": pipe");
  const bool child_reads = number == 0;
  const int ours = made[child_reads ? 1 : 0];
  // A flag of this end alone: the child's waits, as programs expect.
  ::fcntl(ours, F_SETFL, O_NONBLOCK);
  into.ends[number] = descriptor(ours, descriptor_kind::pipe);
  return made[child_reads ? 0 : 1];
}

int open_one(const command& how, stdio& what, std::size_t number, prepared& into) {
  switch (launch_access::kind_of(what)) {
    case kind::inherit: return static_cast<int>(number);
    case kind::pipe: return into.keep(open_pipe(how, number, into));
    case kind::file:
    case kind::append: return into.keep(open_file(how, what, number));
    case kind::same_as_output: return into.numbers[1];
    case kind::given: return launch_access::given_of(what).number();
    case kind::null: break;
  }
  const int fd = own_number(::open("/dev/null", (number == 0 ? O_RDONLY : O_RDWR) | O_CLOEXEC));
  if (fd < 0) fail(how, errno, name_of(number) + " \"/dev/null\"");
  return into.keep(fd);
}

prepared prepare(command& how) {
  // What this process has closed must not become something that is opened here.
  int number = 0;
  for (stdio* each : {&how.input, &how.output, &how.errors}) {
    const bool is_closed = ::fcntl(number++, F_GETFD) < 0;
    if (is_closed && launch_access::kind_of(*each) == kind::inherit) *each = stdio::null();
  }
  prepared all;
  all.numbers.reserve(stream_names.size() + how.more_descriptors.size());
  for (stdio* each : {&how.input, &how.output, &how.errors})
    all.numbers.push_back(open_one(how, *each, all.numbers.size(), all));
  for (stdio& each : how.more_descriptors)
    all.numbers.push_back(open_one(how, each, all.numbers.size(), all));
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& each : texts) all.push_back(each.data());
  all.push_back(nullptr);
  return all;
}

std::string_view remedy_for_program(const launch_plan& plan, int error) {
  const bool looked_up = plan.how.program.find('/') == std::string::npos;
  switch (error) {
    case ENOENT:
      return looked_up
                 ? "it is in none of the directories of PATH, or the interpreter of its #! is "
                   "missing"
                 : "there is no such file, or the interpreter of its #! is missing";
    case EACCES: return "it is no file that this user may execute";
    case ENOEXEC: return "it is no program; a script begins with #! and its interpreter";
    case E2BIG: return "arguments and environment are too long together";
    default: return {};
  }
}

[[noreturn]] void fail_as_told(const launch_plan& plan, const start_report& told) {
  const command& how = plan.how;
  switch (told.at) {
    case start_step::descriptors:
      fail(how, told.error, name_of(static_cast<std::size_t>(told.descriptor)));
    case start_step::session: fail(how, told.error, "a session of its own");
    case start_step::group: fail(how, told.error, "group " + std::to_string(*how.group));
    case start_step::user: fail(how, told.error, "user " + std::to_string(*how.user));
    case start_step::directory: fail(how, told.error, "directory \"" + how.directory + "\"");
    case start_step::program: break;
  }
  fail(how, told.error, {}, remedy_for_program(plan, told.error));
}

void reap(int pid) noexcept {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

}  // namespace

std::vector<std::string> own_environment() {
  std::vector<std::string> all;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) all.emplace_back(*at);
  return all;
}

descriptor duplicate(int fd, std::string_view who) {
  const int made = cove::detail::own_duplicate(fd);
  if (made < 0)
    throw cove::error(system_error_code(errno), std::string(who) + " " + std::to_string(fd));
  return {made, descriptor_kind::other};
}

void let_wait(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

launched launch(launch_plan plan) {
  command& how = plan.how;
  prepared with = prepare(how);
  const std::vector<char*> candidates = pointers_to(plan.candidates);
  const std::vector<char*> arguments = pointers_to(plan.arguments);
  const std::vector<char*> environment = pointers_to(plan.environment);

  start_orders orders;
  orders.candidates = candidates.data();
  orders.arguments = arguments.data();
  orders.environment = environment.data();
  orders.directory = how.directory.empty() ? nullptr : how.directory.c_str();
  orders.descriptors = with.numbers.data();
  orders.descriptor_count = static_cast<int>(with.numbers.size());
  orders.user = how.user ? &*how.user : nullptr;
  orders.group = how.group ? &*how.group : nullptr;
  orders.own_session = how.own_session;

  const started made = start(orders);
  if (made.pid < 0)
    fail(how, made.error, {},
         made.error == EAGAIN ? "the limit of processes is reached (ulimit -u, pids.max)" : "");
  descriptor pidfd;
  if (const int fd = own_number(made.pidfd); fd >= 0)
    pidfd = descriptor(fd, descriptor_kind::other);
  if (made.failed) {
    reap(made.pid);
    fail_as_told(plan, made.report);
  }
  child_ref who = child::adopt(made.pid, std::move(pidfd), how.kill_on_drop);
  if (!who) {
    const int error = errno;
    ::kill(made.pid, SIGKILL);
    reap(made.pid);
    fail(how, error, {}, "the system gives no thread or descriptor to wait for it");
  }
  return {std::move(who), std::move(with.ends)};
}

}  // namespace cove::io::detail
