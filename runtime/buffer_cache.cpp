#include <cove/runtime/detail/buffer_cache.hpp>

#include <cstdlib>

// A short list of buffers per thread, last in, first out: a worker reads one connection after the
// other into the same warm memory, and an idle connection holds none.

namespace cove::detail {
namespace {

constexpr std::size_t kept_max = 8;

class buffer_list {
 public:
  ~buffer_list() {
    while (kept_ > 0) std::free(buffers_[--kept_]);
    ended_ = true;  // A buffer that comes back after this is freed at once.
  }
  void* take() noexcept { return kept_ > 0 ? buffers_[--kept_] : nullptr; }
  bool keep(void* buffer) noexcept {
    if (ended_ || kept_ == kept_max) return false;
    buffers_[kept_++] = buffer;
    return true;
  }

 private:
  void* buffers_[kept_max] = {};
  std::size_t kept_ = 0;
  bool ended_ = false;
};

thread_local buffer_list kept_buffers;

}  // namespace

void* borrow_buffer() noexcept {
  void* buffer = kept_buffers.take();
  return buffer != nullptr ? buffer : std::malloc(borrowed_bytes);
}

void return_buffer(void* buffer) noexcept {
  if (!kept_buffers.keep(buffer)) std::free(buffer);
}

}  // namespace cove::detail
