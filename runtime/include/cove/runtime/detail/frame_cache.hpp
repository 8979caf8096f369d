#pragma once

// Memory of coroutine frames. A frame is born and dies with every call of a task, so it comes from
// lists of the calling thread instead of the general allocator; frame_cache.cpp tells how.

#include <cstddef>

namespace cove::detail {

/// Memory for one coroutine frame, aligned like that of operator new.
/// Errors: std::bad_alloc.
/// Threads: any; none has to know a runtime.
[[nodiscard]] void* frame_allocate(std::size_t bytes);

/// Gives a frame back. `bytes` is what it was allocated with.
/// Threads: any, whoever allocated it.
void frame_free(void* frame, std::size_t bytes) noexcept;

/// Bytes held for reuse, by the process as a whole and by the calling thread; what other threads
/// hold is not counted.
std::size_t frame_cache_bytes() noexcept;

}  // namespace cove::detail
