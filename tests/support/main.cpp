#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "support/fake_backend.hpp"

/// Every test binary knows the tests' own backend: COVE_BACKEND=fake.
int main(int argc, char** argv) {
  register_fake_backend();
  return doctest::Context(argc, argv).run();
}
