#pragma once

#include <cove/runtime.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace cove::examples {

/// The command line of an example: CLI11 with durations, and the options of the runtime that all
/// examples share (`--workers`, `--backend`, `--no-spin`).
class options {
 public:
  explicit options(const char* purpose) : app_(purpose) {
    app_.add_option("--workers", runtime_.workers, "worker threads; default: one a CPU")
        ->check(CLI::Range(1, 1024));
    app_.add_option("--backend", runtime_.backend, "netpoller: epoll");
    app_.add_flag("--no-spin", no_spin_, "never poll before sleeping");
  }

  void text(const char* name, std::string& value, const char* help) {
    app_.add_option(name, value, help)->capture_default_str();
  }
  void number(const char* name, unsigned& value, const char* help, unsigned least = 1,
              unsigned most = 10'000'000) {
    app_.add_option(name, value, help)->capture_default_str()->check(CLI::Range(least, most));
  }
  void flag(const char* name, bool& value, const char* help) { app_.add_flag(name, value, help); }
  void duration(const char* name, std::chrono::nanoseconds& value, const char* help) {
    app_.add_option_function<std::string>(
        name, [&value, name](const std::string& text) { value = parse_duration(name, text); },
        help);
  }

  /// Nothing if the program may go on; else its exit code, after help or the complaint was printed.
  std::optional<int> parse(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
      return std::nullopt;
    } catch (const CLI::ParseError& why) {
      return app_.exit(why);
    }
  }

  cove::runtime_options runtime() const {
    cove::runtime_options chosen = runtime_;
    chosen.spin = !no_spin_;
    return chosen;
  }

 private:
  /// `10s`, `500ms`, `2min`; a bare number means seconds.
  static std::chrono::nanoseconds parse_duration(const char* name, const std::string& text) {
    std::size_t used = 0;
    double number = -1;
    try {
      number = std::stod(text, &used);
    } catch (const std::exception&) {
    }
    const std::string unit = text.substr(used);
    double factor = 0;
    if (unit == "ms") factor = 1e6;
    if (unit == "s" || unit.empty()) factor = 1e9;
    if (unit == "min") factor = 60e9;
    if (unit == "h") factor = 3600e9;
    if (factor == 0 || !(number > 0) || number * factor > 9e18)
      throw CLI::ValidationError(name, "\"" + text + "\" is no duration; write 10s, 500ms or 2min");
    return std::chrono::nanoseconds(static_cast<std::int64_t>(number * factor));
  }

  CLI::App app_;
  cove::runtime_options runtime_;
  bool no_spin_ = false;
};

}  // namespace cove::examples
