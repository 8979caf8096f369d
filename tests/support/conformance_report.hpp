#pragma once

#include <string_view>

namespace cove::test {

// What a test case says of its rows when there is nothing to run. The report shows the reason
// instead of a pass; a check that fails in the same case still fails the row.

/// The platform cannot have the behaviour. A missing feature is no reason.
void not_applicable(std::string_view reason);

/// The library's interface cannot express the fault that the row is about.
void impossible_by_design(std::string_view reason);

}  // namespace cove::test
