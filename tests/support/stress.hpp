#pragma once

// How long and with which random numbers the stress tests run.
//
// COVE_STRESS_SCALE multiplies the rounds of every test: 0.1 for a quick look, 100 for a night.
// COVE_STRESS_SEED repeats the random numbers of an earlier run; every test prints its seed. The
// order in which threads run does not repeat.

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace cove::test {

/// `rounds` times COVE_STRESS_SCALE, at least 1.
inline std::uint64_t stress_rounds(std::uint64_t rounds) {
  const char* text = std::getenv("COVE_STRESS_SCALE");
  if (text == nullptr) return rounds;
  char* end = nullptr;
  const double scale = std::strtod(text, &end);
  REQUIRE_MESSAGE((end != text && *end == '\0' && scale > 0 && scale <= 1e6),
                  "COVE_STRESS_SCALE is not a number above 0: ", std::string(text));
  const double scaled = static_cast<double>(rounds) * scale;
  return scaled < 1 ? 1 : static_cast<std::uint64_t>(scaled);
}

/// The seed for this test: COVE_STRESS_SEED or one made from the time. Prints it.
inline std::uint64_t stress_seed() {
  std::uint64_t seed = 0;
  if (const char* text = std::getenv("COVE_STRESS_SEED"); text != nullptr) {
    char* end = nullptr;
    seed = std::strtoull(text, &end, 0);
    REQUIRE_MESSAGE((end != text && *end == '\0'),
                    "COVE_STRESS_SEED is not a number: ", std::string(text));
  } else {
    seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  }
  MESSAGE("COVE_STRESS_SEED=", seed);
  return seed;
}

}  // namespace cove::test
