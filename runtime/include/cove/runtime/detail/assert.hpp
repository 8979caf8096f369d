#pragma once

namespace cove::detail {

/// Prints the broken condition with its place and ends the process. Never returns.
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const char* why) noexcept;

}  // namespace cove::detail

/// Stays in release builds: for conditions after whose failure going on would corrupt something.
#define COVE_CHECK(condition, why) \
  (static_cast<bool>(condition)    \
       ? static_cast<void>(0)      \
       : ::cove::detail::check_failed(#condition, __FILE__, __LINE__, why))

/// Cheap invariants of debug builds: gone where NDEBUG is defined.
#ifdef NDEBUG
#define COVE_ASSERT(condition) static_cast<void>(0)
#else
#define COVE_ASSERT(condition) COVE_CHECK(condition, "broken invariant")
#endif
