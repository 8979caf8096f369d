#pragma once

#include <cove/runtime.hpp>

#include <CLI/CLI.hpp>

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace cove::examples {

/// The command line of an example: CLI11 with durations, and the options of the runtime that all
/// examples share (`--workers`, `--backend`, `--no-spin`).
class options {
 public:
  explicit options(const char* purpose) : app_(purpose) {
    app_.add_option("--workers", runtime_.workers, "worker threads; default: one a CPU")
        ->check(between(1, 1024));
    app_.add_option("--backend", runtime_.backend,
                    "netpoller: epoll, io_uring, epoll-lt, poll, select");
    app_.add_flag("--no-spin", no_spin_, "never poll before sleeping");
  }

  void text(const char* name, std::string& value, const char* help) {
    app_.add_option(name, value, help)->capture_default_str();
  }
  /// What stands on the command line without a name.
  void argument(const char* name, std::string& value, const char* help) {
    app_.add_option(name, value, help)->required();
  }
  /// The same, at least one.
  void texts(const char* name, std::vector<std::string>& values, const char* help) {
    app_.add_option(name, values, help)->required();
  }
  void number(const char* name, unsigned& value, const char* help, unsigned least = 1,
              unsigned most = 10'000'000) {
    app_.add_option(name, value, help)->capture_default_str()->check(between(least, most));
  }
  void flag(const char* name, bool& value, const char* help) { app_.add_flag(name, value, help); }
  void duration(const char* name, std::chrono::nanoseconds& value, const char* help) {
    app_.add_option_function<std::string>(
        name, [&value, name](const std::string& text) { value = parse_duration(name, text); },
        help);
  }
  /// At most one of the two may be given.
  void exclusive(const char* one, const char* other) {
    app_.get_option(one)->excludes(app_.get_option(other));
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
  /// A whole number in this range; says what is wrong with anything else.
  static CLI::Validator between(unsigned least, unsigned most) {
    const std::string range = std::to_string(least) + " to " + std::to_string(most);
    const auto check = [=](const std::string& text) -> std::string {
      unsigned value = 0;
      const char* end = text.data() + text.size();
      const auto [rest, why] = std::from_chars(text.data(), end, value);
      if (why == std::errc() && rest == end && value >= least && value <= most) return {};
      return "\"" + text + "\" is no whole number from " + range;
    };
    return CLI::Validator(check, range);
  }

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
