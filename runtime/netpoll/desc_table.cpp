#include "netpoll/desc_table.hpp"

#include "netpoll/backend.hpp"

#include <new>
#include <thread>

namespace cove::netpoll {

desc_table::~desc_table() {
  for (std::uint32_t i = 0; i < chunk_count_; ++i)
    delete[] chunks_[i].load(std::memory_order_relaxed);
}

bool desc_table::grow() noexcept {
  if (chunk_count_ == chunks_max) return false;
  auto* chunk = new (std::nothrow) poll_desc[chunk_size];
  if (chunk == nullptr) return false;
  for (std::uint32_t i = chunk_size; i-- > 0;) {
    chunk[i].index = chunk_count_ * chunk_size + i;
    chunk[i].next_free = free_;
    free_ = &chunk[i];
  }
  chunks_[chunk_count_++].store(chunk, std::memory_order_release);  // pairs with at().
  return true;
}

poll_desc* desc_table::take() noexcept {
  poll_desc* desc = nullptr;
  {
    const detail::spin_guard guard(lock_);
    if (free_ == nullptr && !grow()) return nullptr;
    desc = free_;
    free_ = desc->next_free;
    desc->queue_last = nullptr;
    ++out_;
  }
  desc->table = this;
  desc->next_generation();
  desc->access.reset();
  desc->slots[0].reset();
  desc->slots[1].reset();
  desc->ends = {};
  desc->closer.store(nullptr, std::memory_order_relaxed);
  desc->drained[0] = desc->drained[1] = false;
  desc->released = false;
  desc->kind = detail::descriptor_kind::socket;
  return desc;
}

void desc_table::recycle(poll_desc& desc) noexcept {
  bool last = false;
  {
    const detail::spin_guard guard(lock_);
    desc.next_free = free_;
    free_ = &desc;
    last = --out_ == 0 && retired_;
  }
  if (last) delete this;
}

void desc_table::stop_serving() noexcept {
  lock_.lock();
  backend_ = nullptr;
  while (inside_ != 0) {
    lock_.unlock();
    std::this_thread::yield();
    lock_.lock();
  }
  lock_.unlock();
}

void desc_table::retire() noexcept {
  bool last = false;
  {
    const detail::spin_guard guard(lock_);
    retired_ = true;
    last = out_ == 0;
  }
  if (last) delete this;
}

bool desc_table::unwatch(poll_desc& desc) noexcept {
  backend* serving = nullptr;
  {
    const detail::spin_guard guard(lock_);
    serving = backend_;
    if (serving == nullptr) return true;
    ++inside_;
  }
  const bool closed = serving->close(desc);
  const detail::spin_guard guard(lock_);
  --inside_;
  return closed;
}

}  // namespace cove::netpoll
