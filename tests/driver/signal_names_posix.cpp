#include "signal_names.hpp"

#include "request.hpp"

#include <charconv>
#include <csignal>
#include <optional>

namespace cove::driver {
namespace {

struct named_signal {
  std::string_view name;
  int number;
};

constexpr named_signal signals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},     {"ILL", SIGILL},
    {"TRAP", SIGTRAP}, {"ABRT", SIGABRT}, {"BUS", SIGBUS},       {"FPE", SIGFPE},
    {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},     {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},     {"CHLD", SIGCHLD},
    {"CONT", SIGCONT}, {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},
    {"TTOU", SIGTTOU}, {"URG", SIGURG},   {"XCPU", SIGXCPU},     {"XFSZ", SIGXFSZ},
    {"PROF", SIGPROF}, {"SYS", SIGSYS},   {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},
};

/// The end of `name` behind `prefix`, as a number: 0 for no more, "+3", "-3".
std::optional<int> offset_behind(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  std::string_view rest = name.substr(prefix.size());
  if (rest.empty()) return 0;
  if (rest.front() == '+')
    rest.remove_prefix(1);
  else if (rest.front() != '-')
    return std::nullopt;
  int offset = 0;
  const auto read = std::from_chars(rest.begin(), rest.end(), offset);
  if (read.ec != std::errc() || read.ptr != rest.end()) return std::nullopt;
  return offset;
}

/// As kill(1) calls them: RTMIN, RTMIN+1, RTMAX-1, RTMAX. Which are there is known when it runs.
std::optional<int> real_time_signal(std::string_view name) {
  std::optional<int> number;
  if (const auto offset = offset_behind("RTMIN", name)) number = SIGRTMIN + *offset;
  if (const auto offset = offset_behind("RTMAX", name)) number = SIGRTMAX + *offset;
  if (number && (*number < SIGRTMIN || *number > SIGRTMAX)) return std::nullopt;
  return number;
}

}  // namespace

int signal_of(std::string_view name) {
  for (const named_signal& known : signals)
    if (known.name == name) return known.number;
  if (const auto number = real_time_signal(name)) return *number;
  throw refusal::unsupported(std::string(name));
}

}  // namespace cove::driver
