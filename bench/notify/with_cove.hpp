#pragma once

#include "crowd.hpp"
#include "rounds.hpp"

namespace notify {

/// Measures cove with the backend that COVE_BACKEND names. Gives its name beside what it found.
/// Errors: unavailable if the system refuses that backend, or if it cannot watch so many.
std::vector<point> measure_cove(crowd& of, effort chosen, std::string& backend);

}  // namespace notify
