#include "native_stack.hpp"

#include "symbols.hpp"

#include <cstdio>

namespace cove::detail {
namespace {

/// Long enough to tell instances of a template apart, short enough to find the end of the line.
constexpr std::size_t most_characters = 200;

/// The functions through which a worker resumes a coroutine; whether the inner one is inlined is
/// the compiler's choice.
bool is_worker_loop(std::string_view function) noexcept {
  return function.starts_with("cove::sched::dispatch(") ||
         function.starts_with("cove::sched::(anonymous namespace)::resume(");
}

std::string hexadecimal(std::uintptr_t number) {
  char text[2 + 2 * sizeof number + 1];
  std::snprintf(text, sizeof text, "%#zx", static_cast<std::size_t>(number));
  return text;
}

}  // namespace

std::string describe(const native_stack& stack) {
  const std::vector<symbol> symbols = find_symbols(std::span(stack.at).first(stack.depth));
  std::string text;
  for (std::size_t i = 0; i < symbols.size() && !is_worker_loop(symbols[i].function); ++i) {
    const symbol& frame = symbols[i];
    // Piece by piece: GCC 12 warns of what it made of `"literal" + string` itself.
    text.append("  #").append(std::to_string(i));
    if (!frame.function.empty()) text.append(" ").append(frame.function, 0, most_characters);
    if (frame.function.size() > most_characters) text.append("...");
    if (frame.module.empty())
      text.append(" ").append(hexadecimal(stack.at[i]));
    else
      text.append(" (")
          .append(frame.module)
          .append("+")
          .append(hexadecimal(frame.offset))
          .append(")");
    text.append("\n");
  }
  return text;
}

}  // namespace cove::detail
