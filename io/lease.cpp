#include <cove/io/lease.hpp>

#include <cove/runtime/detail/buffer_cache.hpp>

namespace cove::io {

void lease::give_back() noexcept {
  if (buffer_ != nullptr) detail::return_buffer(buffer_);
}

}  // namespace cove::io
