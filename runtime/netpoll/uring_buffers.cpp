#include "netpoll/uring_buffers.hpp"

#include <cove/runtime/detail/buffer_cache.hpp>

#include <sys/mman.h>

#include <utility>

namespace cove::netpoll {

bool uring_buffers::make() noexcept {
  if (free_ != nullptr) return true;
  if (refused_) return false;
  refused_ = true;
  constexpr std::size_t bytes = count * sizeof(io_uring_buf);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  io_uring_buf_reg what{};
  what.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  what.ring_entries = count;
  what.bgid = group;
  if (::io_uring_register_buf_ring(&ring_, &what, 0) != 0) {
    ::munmap(memory, bytes);
    return false;
  }
  free_ = static_cast<io_uring_buf_ring*>(memory);
  ::io_uring_buf_ring_init(free_);
  for (unsigned id = 0; id < count; ++id) refill(id);
  return true;
}

uring_buffers::~uring_buffers() {
  if (free_ == nullptr) return;
  ::io_uring_unregister_buf_ring(&ring_, group);
  ::munmap(free_, count * sizeof(io_uring_buf));
  for (void* buffer : buffers_)
    if (buffer != nullptr) detail::return_buffer(buffer);
}

void uring_buffers::refill(unsigned id) noexcept {
  buffers_[id] = detail::borrow_buffer();
  if (buffers_[id] == nullptr) {
    ++missing_;
    return;
  }
  ::io_uring_buf_ring_add(free_, buffers_[id], detail::borrowed_bytes,
                          static_cast<unsigned short>(id), ::io_uring_buf_ring_mask(count), 0);
  ::io_uring_buf_ring_advance(free_, 1);
}

void* uring_buffers::take(std::uint32_t flags) noexcept {
  const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
  void* taken = std::exchange(buffers_[id], nullptr);
  refill(id);
  if (missing_ != 0 && buffers_[id] != nullptr)  // There is memory again.
    for (unsigned other = 0; other < count; ++other)
      if (other != id && buffers_[other] == nullptr) {
        --missing_;
        refill(other);
      }
  return taken;
}

}  // namespace cove::netpoll
