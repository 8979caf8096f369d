#pragma once

// What the tests of child processes stand on. Every child is a small program of the system, ends
// when its test ends, and leaves no zombie: run_children() checks that.

#include "support/net_test.hpp"
#include "support/temporary_folder.hpp"

#include <cove/io/process.hpp>

#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <fstream>

namespace cove::test {

using io::command;
using io::exit_status;
using io::process;
using io::process_output;
using io::stdio;

inline command shell(std::string script) { return command("sh", "-c", std::move(script)); }

/// One that runs until its input ends.
inline command waiting_child() {
  command what("cat");
  what.input = stdio::pipe();
  return what;
}

/// Has this process children, running or ended?
inline bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/// As run_test, and no child is left, not even a zombie.
template <class Body>
void run_children(Body body, runtime_options options = net_options()) {
  run_test(std::move(body), std::move(options));
  CHECK_FALSE(has_children());
}

/// Is there such a process, and is it no zombie?
inline bool is_running(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  const std::size_t name_end = line.rfind(')');
  return name_end + 2 < line.size() && line[name_end + 2] != 'Z';
}

/// The bound of what small programs write.
inline constexpr std::size_t most = 100'000;

/// What it wrote to its output; it has to succeed and to write no errors.
inline task<std::string> written_by(command what) {
  process_output all = co_await process::output(std::move(what), most);
  CHECK(all.status == exit_status{});
  CHECK(all.err.empty());
  co_return all.out;
}

/// Why it is not started.
inline task<std::string> refusal_of(command what) {
  try {
    static_cast<void>(co_await process::spawn(std::move(what)));
  } catch (const error& failure) {
    co_return failure.what();
  }
  co_return "started";
}

}  // namespace cove::test
