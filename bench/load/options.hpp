// What the client is asked to do.
#pragma once

#include <cstddef>

namespace load {

enum class mode { echo, churn, idle, http };

struct options {
  load::mode mode = mode::echo;
  int port = 0;
  std::size_t connections = 64;
  std::size_t size = 64;  // Bytes of a message.
  std::size_t depth = 1;  // Requests that a connection sends at once.
  double seconds = 1.0;   // Measured, after the warm-up.
  double warm_up = 0.25;  // Seconds.
  bool spin = false;      // Never sleeps.
};

const char* name_of(mode which);

// Reads the command line, or says what is wrong with it and ends the program with status 2.
options parse_arguments(int argc, char** argv);

}  // namespace load
