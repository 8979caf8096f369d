#include "netpoll/uring_calls.hpp"

#include "netpoll/uring_label.hpp"

#include <cove/runtime/detail/assert.hpp>

#include <fcntl.h>
#include <sys/uio.h>

#include <cerrno>
#include <new>
#include <utility>

namespace cove::netpoll {

using detail::ring_call;
using detail::ring_verb;

uring_calls::~uring_calls() { COVE_CHECK(first_ == nullptr, "a ring ended with calls listed"); }

std::unique_ptr<uring_calls::chunk> uring_calls::grow() noexcept {
  return std::unique_ptr<chunk>(new (std::nothrow) chunk);
}

bool uring_calls::add(std::unique_ptr<chunk> more) noexcept {
  if (more == nullptr) return false;
  const auto before = static_cast<std::uint32_t>(chunks_.size());
  if (before * slots_each + slots_each > record_mask) return false;
  try {
    chunks_.push_back(std::move(more));
  } catch (const std::bad_alloc&) {
    return false;
  }
  for (std::uint32_t i = slots_each; i-- != 0;) {
    slot& made = chunks_.back()->slots[i];
    made.number = before * slots_each + i;
    made.next = std::exchange(free_, &made);
  }
  return true;
}

uring_calls::slot& uring_calls::at(std::uint32_t number) noexcept {
  return chunks_[number / slots_each]->slots[number % slots_each];
}

void uring_calls::list(slot& which) noexcept {
  which.next = nullptr;
  which.listed = true;
  (last_ != nullptr ? last_->next : first_) = &which;
  last_ = &which;
}

/// The list is short: it goes out by the batch.
void uring_calls::unlist(slot& which) noexcept {
  slot* before = nullptr;
  for (slot* at = first_; at != &which; at = at->next) before = at;
  (before != nullptr ? before->next : first_) = which.next;
  if (last_ == &which) last_ = before;
  which.listed = false;
}

void uring_calls::arm(ring_call& call) noexcept {
  slot& taken = *free_;
  free_ = taken.next;
  taken.call = &call;
  call.slot = taken.number;
  list(taken);
}

uring_calls::withdrawn uring_calls::withdraw(ring_call& call) noexcept {
  slot& taken = at(call.slot);
  if (taken.call != &call || taken.asked) return withdrawn::nothing;
  if (!taken.handed) {
    unlist(taken);
    taken.call = nullptr;
    taken.next = std::exchange(free_, &taken);
    return withdrawn::taken_back;
  }
  taken.asked = true;
  list(taken);
  return withdrawn::listed;
}

namespace {

void prepare(io_uring_sqe& entry, const ring_call& call) noexcept {
  const auto offset = static_cast<std::uint64_t>(call.offset);
  switch (call.verb) {
    case ring_verb::read:
      ::io_uring_prep_read(&entry, call.fd, call.data, call.size, offset);
      break;
    case ring_verb::write:
      ::io_uring_prep_write(&entry, call.fd, call.data, call.size, offset);
      break;
    case ring_verb::read_v:
      ::io_uring_prep_readv(&entry, call.fd, static_cast<const iovec*>(call.data), call.size,
                            offset);
      break;
    case ring_verb::write_v:
      ::io_uring_prep_writev(&entry, call.fd, static_cast<const iovec*>(call.data), call.size,
                             offset);
      break;
    case ring_verb::sync: ::io_uring_prep_fsync(&entry, call.fd, 0); break;
    case ring_verb::sync_data: ::io_uring_prep_fsync(&entry, call.fd, IORING_FSYNC_DATASYNC); break;
    case ring_verb::open:
      ::io_uring_prep_openat(&entry, AT_FDCWD, static_cast<const char*>(call.data), call.flags,
                             call.size);
      break;
    case ring_verb::none: break;
  }
  if (call.apart) entry.flags |= IOSQE_ASYNC;
}

}  // namespace

void uring_calls::next(io_uring_sqe& entry) noexcept {
  slot& which = *first_;
  first_ = which.next;
  if (first_ == nullptr) last_ = nullptr;
  which.listed = false;
  const std::uint64_t mine = label(tag::call, which.number, which.sequence);
  if (!which.handed) {
    prepare(entry, *which.call);
    ::io_uring_sqe_set_data64(&entry, mine);
    which.handed = true;
  } else {
    ::io_uring_prep_cancel64(&entry, mine, 0);
    ::io_uring_sqe_set_data64(&entry, label(tag::nobody, 0, 0));
  }
}

ring_call* uring_calls::absorb(const io_uring_cqe& said, bool& listed) noexcept {
  slot& which = at(record_of(said.user_data));
  COVE_ASSERT(which.call != nullptr && which.sequence == sequence_of(said.user_data));
  // What nobody asked to end is ended by the kernel with the thread that handed it in.
  const bool broken_off = said.res == -EINTR || said.res == -ECANCELED;
  if (broken_off && !which.asked) {
    which.handed = false;
    list(which);
    listed = true;
    return nullptr;
  }
  if (which.listed) {
    unlist(which);
    listed = true;
  }
  ring_call& call = *std::exchange(which.call, nullptr);
  call.result = broken_off ? -ECANCELED : said.res;
  ++which.sequence;
  which.handed = false;
  which.asked = false;
  which.next = std::exchange(free_, &which);
  return &call;
}

}  // namespace cove::netpoll
