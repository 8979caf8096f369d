#include "verbs.hpp"

#include "signal_names.hpp"

#include <cove/runtime/error.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

// What an application does beside the library: plain calls of the system on a plain thread, behind
// the runtime's back.

namespace cove::driver {
namespace {

[[noreturn]] void throw_errno(const char* call) { throw error(system_error_code(errno), call); }

/// Runs `work`, which gives the members of the reply, on a thread.
template <class Work>
task<> told_by_thread(call& c, Work work) {
  auto errand = on_thread(c.all.threads, std::move(work));
  const json said = co_await std::move(errand);
  c.members.update(said);
}

// ----- children -----

/// In the child nothing of the runtime may be touched, not even memory be allocated.
[[noreturn]] void live_and_die(std::timespec time, int code, int signal_number) {
  while (::nanosleep(&time, &time) != 0 && errno == EINTR) {  // tidy: allow (a child's only work)
  }
  if (signal_number != 0) {
    std::signal(signal_number, SIG_DFL);
    ::raise(signal_number);
  }
  ::_exit(code);
}

task<> prepare_host_fork(call& c) {
  const std::int64_t ms = c.asked.number("ms", 0, 86'400'000);
  if (c.asked.has("code") && c.asked.has("sig"))
    throw refusal::bad_request("a child ends by \"code\" or by \"sig\"");
  const auto code = static_cast<int>(c.asked.number_or("code", 0, 0, 255));
  const int signal_number = c.asked.has("sig") ? signal_of(c.asked.text("sig")) : 0;
  const std::timespec time{ms / 1000, ms % 1000 * 1'000'000};
  return told_by_thread(c, [=] {
    const pid_t child = ::fork();
    if (child == 0) live_and_die(time, code, signal_number);
    if (child < 0) throw_errno("fork");
    return json{{"pid", child}};
  });
}

json wait_for_child(pid_t child, bool hang) {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(child, &status, hang ? 0 : WNOHANG);
  } while (ended < 0 && errno == EINTR);
  if (ended < 0) throw_errno("waitpid");
  if (ended == 0) return json{{"running", true}};
  if (WIFSIGNALED(status)) return json{{"signal", WTERMSIG(status)}};
  return json{{"code", WEXITSTATUS(status)}};
}

task<> prepare_host_wait(call& c) {
  const auto child = static_cast<pid_t>(c.asked.number("pid", 1, INT32_MAX));
  const bool hang = !c.asked.flag("nohang");
  return told_by_thread(c, [=] { return wait_for_child(child, hang); });
}

// ----- signals -----

constexpr int signal_count = 65;
std::array<std::atomic<std::uint64_t>, signal_count> seen_signals;
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

void count_signal(int number) {
  seen_signals[static_cast<std::size_t>(number)].fetch_add(1, std::memory_order_relaxed);
}

json set_handler(int number, bool restart, const std::string& mode) {
  struct sigaction action{};
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = restart ? SA_RESTART : 0;
  action.sa_handler = mode == "count" ? count_signal : mode == "default" ? SIG_DFL : SIG_IGN;
  if (::sigaction(number, &action, nullptr) != 0) throw_errno("sigaction");
  return json{{"seen", seen_signals[static_cast<std::size_t>(number)].load()}};
}

task<> prepare_host_handler(call& c) {
  const int number = signal_of(c.asked.text("sig"));
  const bool restart = c.asked.flag("restart");
  std::string mode = "count";
  if (c.asked.has("mode")) mode = c.asked.choice("mode", {"count", "default", "ignore"});
  return told_by_thread(c, [=] { return set_handler(number, restart, mode); });
}

// ----- descriptors -----

task<> prepare_host_close_fd(call& c) {
  const auto fd = static_cast<int>(c.asked.number("fd", 0, INT32_MAX));
  return told_by_thread(c, [=] {
    if (::close(fd) != 0) throw_errno("close");
    return json{{"fd", fd}};
  });
}

task<> prepare_host_dup_fd(call& c) {
  const auto fd = static_cast<int>(c.asked.number("fd", 0, INT32_MAX));
  return told_by_thread(c, [=] {
    const int made = ::dup(fd);
    if (made < 0) throw_errno("dup");
    return json{{"fd", made}};
  });
}

const verb table[] = {
    {"host_fork", {"ms", "code", "sig"}, prepare_host_fork},
    {"host_wait", {"pid", "nohang"}, prepare_host_wait},
    {"host_handler", {"sig", "restart", "mode"}, prepare_host_handler},
    {"host_close_fd", {"fd"}, prepare_host_close_fd},
    {"host_dup_fd", {"fd"}, prepare_host_dup_fd},
};

}  // namespace

std::span<const verb> host_verbs() { return table; }

}  // namespace cove::driver
