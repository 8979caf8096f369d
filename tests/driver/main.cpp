// The conformance driver: makes the library usable from any language, by requests and replies of
// one JSON object a line. A program starts it, asks it to listen, dial, read, cancel and so on, and
// plays the other end with its own sockets; driver.py and the play*.py beside this file do so.
//
// The thread that reads standard input parses a line, registers its id (dispatcher.cpp), spawns a
// task for it and goes on to the next; it waits for none. The task finds its verb in a table
// (verbs.hpp), reads the request strictly, and awaits the operation with its clock and limits
// (call.cpp). It answers for itself; if it never runs or its frame is destroyed, the ticket that it
// owns answers (operations.hpp). The driver uses only the public API and mends nothing: what the
// library reports is what it says, and what the library lacks is answered "unsupported".
//
//     build/release/tests/driver/cove-driver
//     {"id":1,"do":"listen","net":"tcp","addr":"127.0.0.1:0","as":"L"}
//     {"id":2,"do":"accept","h":"L","as":"c","timeout_ms":60000}

#include "dispatcher.hpp"
#include "system.hpp"
#include "verbs.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace cove::driver {
namespace {

constexpr int exit_skipped = 77;

struct command_line {
  runtime_options options;
  bool verbose = false;

  /// What --backend or the environment asks for; empty for the library's choice.
  std::string asked_backend() const {
    if (!options.backend.empty()) return options.backend;
    const char* variable = std::getenv("COVE_BACKEND");
    return variable != nullptr ? variable : "";
  }
};

/// Nothing if the program may go on; else its exit code.
std::optional<int> read_command_line(int argc, char** argv, command_line& chosen) {
  CLI::App app("answers requests to the library, one JSON object a line");
  app.add_option("--backend", chosen.options.backend, "netpoller; default: COVE_BACKEND");
  app.add_option("--workers", chosen.options.workers, "worker threads")
      ->envname("COVE_WORKERS")
      ->check(CLI::Range(1, 1024));
  app.add_option("--pool", chosen.options.pool.user.threads_max,
                 "limit of the threads for blocking calls, and of those for files")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--verbose", chosen.verbose, "every request to standard error");
  try {
    app.parse(argc, argv);
    chosen.options.pool.file.threads_max = chosen.options.pool.user.threads_max;
    return std::nullopt;
  } catch (const CLI::ParseError& why) {
    // Help is no line of the protocol.
    return app.exit(why, std::cerr, std::cerr);
  }
}

json ready_line(session& all, const std::string& asked) {
  std::string backend;
  unsigned workers = 0;
  all.hosts.on("", [&](runtime& main) {
    const runtime_stats now = main.stats();
    backend = now.backend;
    workers = now.workers;
  });
  json line{{"ready", true}, {"protocol", 1}, {"backend", backend}};
  if (!asked.empty() && asked != backend) line["asked"] = asked;
  line["workers"] = workers;
  line["pid"] = process_id();
  line["verbs"] = verb_names();
  return line;
}

/// Starts what the lines ask for, until the end of input or `quit`.
std::optional<quit_request> serve_input(session& all, bool verbose) {
  line_reader input;
  while (const auto line = input.next()) {
    if (verbose) std::cerr << *line << '\n';
    if (auto quit = dispatch(all, *line)) return quit;
  }
  return std::nullopt;
}

int run(const command_line& chosen) {
  std::optional<session> all;
  const std::string asked = chosen.asked_backend();
  try {
    all.emplace(chosen.options);
  } catch (const error& why) {
    // The number of workers was checked: what is invalid here is the backend.
    const bool unknown = !asked.empty() && why.code() == std::errc::invalid_argument;
    json line{{"ready", false}, {"error", unknown ? "unsupported" : "other"}};
    line["detail"] = why.what();
    line_writer().write(line);
    return unknown ? exit_skipped : 1;
  }
  all->output.write(ready_line(*all, asked));
  const auto quit = serve_input(*all, chosen.verbose);
  const bool clean = stop_all(*all, quit ? quit->limit : quit_request().limit);
  if (quit) all->output.write(json{{"id", quit->id}, {"ok", true}});
  // What could not be stopped cannot be waited for.
  if (!clean) std::_Exit(0);
  return 0;
}

}  // namespace
}  // namespace cove::driver

int main(int argc, char** argv) {
  cove::driver::command_line chosen;
  if (const auto code = cove::driver::read_command_line(argc, argv, chosen)) return *code;
  return cove::driver::run(chosen);
}
