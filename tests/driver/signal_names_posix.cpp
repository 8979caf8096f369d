#include "signal_names.hpp"

#include "request.hpp"

#include <csignal>

namespace cove::driver {
namespace {

struct named_signal {
  std::string_view name;
  int number;
};

constexpr named_signal signals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ABRT", SIGABRT},
    {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},
    {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT},
    {"STOP", SIGSTOP}, {"URG", SIGURG},   {"IO", SIGIO},     {"WINCH", SIGWINCH},
};

}  // namespace

int signal_of(std::string_view name) {
  for (const named_signal& known : signals)
    if (known.name == name) return known.number;
  throw refusal::unsupported(std::string(name));
}

}  // namespace cove::driver
