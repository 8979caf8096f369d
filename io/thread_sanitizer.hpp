#pragma once

namespace cove::io::detail {

/// Is this built for ThreadSanitizer? It answers for some system calls itself, and not as they do.
#if defined(__has_feature)
inline constexpr bool thread_sanitized = __has_feature(thread_sanitizer);
#elif defined(__SANITIZE_THREAD__)
inline constexpr bool thread_sanitized = true;
#else
inline constexpr bool thread_sanitized = false;
#endif

}  // namespace cove::io::detail
