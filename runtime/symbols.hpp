#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cove::detail {

/// What is known of an address in code.
struct symbol {
  std::string function;       ///< As a reader writes it. Empty: unknown.
  std::string module;         ///< File name of the program or library. Empty: it is in none.
  std::uintptr_t offset = 0;  ///< In the module's file; what addr2line takes.
};

/// One symbol for each address, in their order. Reads the program's own symbol table, so it may
/// take tens of milliseconds.
std::vector<symbol> find_symbols(std::span<const std::uintptr_t> addresses);

/// A linker's name as a reader writes it, with [coroutine] behind the body of one, under which GCC
/// and Clang compile it: `_ZN3app5serveEi.resume` -> `app::serve(int) [coroutine]`.
std::string readable_function(std::string_view linked);

}  // namespace cove::detail
