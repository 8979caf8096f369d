#pragma once

#include <cstddef>

namespace cove::detail {

/// The size of every borrowed buffer.
inline constexpr std::size_t borrowed_bytes = 16384;

/// A buffer of borrowed_bytes; the one given back last on this thread, which is still warm, if
/// there is one. nullptr without memory. Any thread.
void* borrow_buffer() noexcept;
/// Gives a buffer back, on any thread.
void return_buffer(void* buffer) noexcept;

}  // namespace cove::detail
