#include "options.hpp"

#include <getopt.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace load {

namespace {

constexpr const char* usage =
    "usage: cove_load --port N [options]\n"
    "  --mode echo|churn|idle|http  what to do (echo)\n"
    "  --connections N              at a time (64)\n"
    "  --size N                     bytes of a message, at least 8 (64)\n"
    "  --depth N                    requests that a connection sends at once (1)\n"
    "  --seconds S                  to measure for (1)\n"
    "  --warm-up S                  before that (0.25)\n"
    "  --spin                       ask for events without ever sleeping\n";

[[noreturn]] void refuse(const char* option, const char* value) {
  std::fprintf(stderr, "cove_load: --%s \"%s\" is out of range\n%s", option, value, usage);
  std::exit(2);
}

double number(const char* option, const char* value, double least, double most) {
  char* end = nullptr;
  const double result = std::strtod(value, &end);
  if (end == value || *end != '\0' || !(result >= least && result <= most)) refuse(option, value);
  return result;
}

std::size_t count(const char* option, const char* value, double least, double most) {
  return static_cast<std::size_t>(number(option, value, least, most));
}

constexpr mode modes[] = {mode::echo, mode::churn, mode::idle, mode::http};

mode mode_of(const char* value) {
  for (const mode which : modes)
    if (std::string_view(name_of(which)) == value) return which;
  refuse("mode", value);
}

}  // namespace

const char* name_of(mode which) {
  switch (which) {
    case mode::echo: return "echo";
    case mode::churn: return "churn";
    case mode::idle: return "idle";
    case mode::http: return "http";
  }
  return "";
}

options parse_arguments(int argc, char** argv) {
  constexpr option known[] = {{"port", required_argument, nullptr, 'p'},
                              {"mode", required_argument, nullptr, 'm'},
                              {"connections", required_argument, nullptr, 'c'},
                              {"size", required_argument, nullptr, 's'},
                              {"depth", required_argument, nullptr, 'd'},
                              {"seconds", required_argument, nullptr, 't'},
                              {"warm-up", required_argument, nullptr, 'w'},
                              {"spin", no_argument, nullptr, 'S'},
                              {nullptr, 0, nullptr, 0}};
  options result;
  int which = 0;
  while ((which = getopt_long(argc, argv, "", known, nullptr)) != -1) {
    switch (which) {
      case 'p': result.port = static_cast<int>(number("port", optarg, 1, 65535)); break;
      case 'm': result.mode = mode_of(optarg); break;
      case 'c': result.connections = count("connections", optarg, 1, 1 << 20); break;
      case 's': result.size = count("size", optarg, 8, 1 << 24); break;
      case 'd': result.depth = count("depth", optarg, 1, 1 << 12); break;
      case 't': result.seconds = number("seconds", optarg, 0.01, 3600); break;
      case 'w': result.warm_up = number("warm-up", optarg, 0, 3600); break;
      case 'S': result.spin = true; break;
      default: std::fputs(usage, stderr); std::exit(2);
    }
  }
  if (result.port == 0 || optind != argc) {
    std::fputs(usage, stderr);
    std::exit(2);
  }
  return result;
}

}  // namespace load
