#pragma once

#include <cove/runtime/detail/frame_cache.hpp>

#include <cstddef>
#include <new>

namespace cove::detail {

/// A small object that is made and freed often, on whatever threads: its memory comes from the
/// lists that coroutine frames come from.
struct pooled {
  static void* operator new(std::size_t bytes) { return frame_allocate(bytes); }
  static void operator delete(void* object, std::size_t bytes) noexcept {
    frame_free(object, bytes);
  }
  // What asks for more than the usual alignment goes to the general allocator.
  static void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return ::operator new(bytes, alignment);
  }
  static void operator delete(void* object, std::size_t, std::align_val_t alignment) noexcept {
    ::operator delete(object, alignment);
  }
};

}  // namespace cove::detail
