#include <cove/runtime/detail/message_log.hpp>

#include <cove/runtime/error.hpp>

namespace cove::detail {

spin_lock& log_wait::lock() noexcept { return on_->lock_; }

bool log_wait::take(granted_list&) noexcept {
  found_ = on_->find(*from_);
  return found_.what.get() != nullptr || on_->closed_;
}

void log_wait::link() noexcept { on_->waiting_.push_back(*this); }

bool log_wait::unlink(granted_list&) noexcept { return on_->waiting_.withdraw(*this); }

message_log::message_log(std::size_t capacity)
    : capacity_(capacity != 0 ? capacity : 1), ring_(new message_ref[capacity_]) {}

message_log::~message_log() {
  COVE_ASSERT(waiting_.empty());
  delete[] ring_;
}

reading message_log::find(std::uint64_t from) const noexcept {
  if (from >= end_) return {};
  if (end_ - from > capacity_) from = end_ - capacity_;
  return {ring_[from % capacity_], from};
}

void message_log::publish(message_ref fresh) {
  message_ref replaced;  // Goes after the lock was given back.
  granted_list told;
  bool refused = false;
  {
    const spin_guard guard(lock_);
    refused = closed_;
    if (!refused) {
      const std::uint64_t number = end_++;
      while (waiter* each = waiting_.grant_front()) {
        static_cast<log_wait&>(*each).found_ = {fresh, number};
        told.push(*each);
      }
      replaced = std::exchange(ring_[number % capacity_], std::move(fresh));
    }
  }
  told.wake();
  if (refused) throw_error(make_error_code(errc::closed), "send", "it is closed; nothing was sent");
}

void message_log::close() noexcept {
  granted_list told;
  {
    const spin_guard guard(lock_);
    closed_ = true;
    waiting_.grant_all(told);
  }
  told.wake();
}

bool message_log::closed() const noexcept {
  const spin_guard guard(lock_);
  return closed_;
}

std::uint64_t message_log::end() const noexcept {
  const spin_guard guard(lock_);
  return end_;
}

reading message_log::read(std::uint64_t from) const noexcept {
  const spin_guard guard(lock_);
  return find(from);
}

reading message_log::last() const noexcept {
  const spin_guard guard(lock_);
  return end_ != 0 ? find(end_ - 1) : reading{};
}

}  // namespace cove::detail
