// One case, with the main function that doctest brings.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

TEST_CASE("a case runs") { CHECK(1 + 1 == 2); }
