// What every program here has in common. They need nothing of the library.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <cove/runtime/detail/assert.hpp>

#include "support/stepping.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

/// A failed assertion ends the execution, as require() does.
void cove::detail::check_failed(const char* condition, const char*, int, const char*) noexcept {
  stepping::require(false, condition);
  std::abort();
}
