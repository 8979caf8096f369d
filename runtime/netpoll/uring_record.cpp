#include "netpoll/uring_record.hpp"

#include "netpoll/uring_accepts.hpp"
#include "netpoll/uring_message.hpp"

namespace cove::netpoll {

uring_record::~uring_record() = default;

uring_table::~uring_table() {
  for (const detail::atomic<uring_record*>& chunk : chunks_)
    delete[] chunk.load(std::memory_order_relaxed);
}

bool uring_table::prepare(std::uint32_t index) noexcept {
  const std::uint32_t which = 2 * index / chunk_size;
  if (chunks_[which].load(std::memory_order_acquire) != nullptr) return true;
  std::unique_ptr<uring_record[]> made(new (std::nothrow) uring_record[chunk_size]);
  if (made == nullptr) return false;
  for (std::uint32_t i = 0; i < chunk_size; ++i) made[i].number = which * chunk_size + i;
  uring_record* none = nullptr;
  // acq_rel: publishes the numbers, or sees those of whoever came first.
  if (chunks_[which].compare_exchange_strong(none, made.get(), std::memory_order_acq_rel))
    static_cast<void>(made.release());  // The table's.
  return true;
}

}  // namespace cove::netpoll
