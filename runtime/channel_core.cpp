#include <cove/runtime/detail/channel_core.hpp>

#include <cove/runtime/error.hpp>

namespace cove::detail {

std::error_code channel_wait::error() const noexcept {
  if (moved()) return {};
  if (stopped != stop_reason::none) return code_of(stopped);
  if (outcome_ == outcome::closed) return make_error_code(errc::closed);
  return std::make_error_code(std::errc::operation_would_block);
}

void channel_wait::throw_not_sent() const {
  check_granted();
  throw_error(make_error_code(errc::closed), name, "the channel is closed; nothing was sent");
}

bool channel_wait::try_now() noexcept {
  return on_->may_succeed(side_) && on_->attempt(*this, false);
}

bool channel_wait::begin() noexcept { return on_->attempt(*this, true); }

spin_lock& channel_wait::lock() noexcept { return on_->lock_; }

bool channel_wait::take(granted_list& granted) noexcept {
  waiter* partner = nullptr;
  const bool settled = on_->take(*this, partner);
  granted.push_if(partner);
  return settled;
}

void channel_wait::link() noexcept { on_->link(*this); }

bool channel_wait::unlink(granted_list&) noexcept { return on_->unlink(*this); }

slot_array::slot_array(const element_type& element, std::size_t count)
    : alignment_(element.alignment) {
  if (count == 0) return;
  if (count > PTRDIFF_MAX / element.size) throw std::bad_array_new_length();
  first_ = ::operator new(count * element.size, std::align_val_t(alignment_));
}

slot_array::~slot_array() { ::operator delete(first_, std::align_val_t(alignment_)); }

channel_core::channel_core(const element_type& element, void* ring, std::size_t capacity) noexcept
    : element_(element),
      ring_(static_cast<std::byte*>(ring)),
      capacity_(capacity),
      hints_(capacity != 0 ? sender : 0) {}

channel_core::~channel_core() {
  COVE_ASSERT(senders_.empty() && receivers_.empty());
  for (std::size_t i = 0; i < count_; ++i) element_.destroy(slot(first_ + i));
}

bool channel_core::attempt(channel_wait& who, bool stays) noexcept {
  waiter* partner = nullptr;
  bool settled = false;
  {
    const spin_guard guard(lock_);
    settled = take(who, partner);
    if (!settled && stays) link(who);
  }
  // Of `who` nothing more: if it waits, it may have been woken already.
  if (partner != nullptr) wake(*partner);
  return settled;
}

wait_list& channel_core::those_like(const channel_wait& who) noexcept {
  return who.side_ == channel_wait::side::sends ? senders_ : receivers_;
}

bool channel_core::take(channel_wait& who, waiter*& partner) noexcept {
  const bool sends = who.side_ == channel_wait::side::sends;
  const bool settled = sends ? send(who, partner) : receive(who, partner);
  note_hints();
  return settled;
}

void channel_core::link(channel_wait& who) noexcept {
  those_like(who).push_back(who);
  note_hints();
}

bool channel_core::unlink(channel_wait& who) noexcept {
  const bool taken_back = those_like(who).withdraw(who);
  note_hints();
  return taken_back;
}

bool channel_core::send(channel_wait& from, waiter*& partner) noexcept {
  if (closed_) {
    from.outcome_ = channel_wait::outcome::closed;
    return true;
  }
  partner = receivers_.grant_front();
  if (partner != nullptr)
    hand_over(from, static_cast<channel_wait&>(*partner));
  else if (count_ < capacity_)
    push(from);
  else
    return false;
  return true;
}

bool channel_core::receive(channel_wait& to, waiter*& partner) noexcept {
  if (count_ != 0) {
    pop(to);
    partner = senders_.grant_front();
    if (partner != nullptr) push(static_cast<channel_wait&>(*partner));
    return true;
  }
  partner = senders_.grant_front();
  if (partner != nullptr)
    hand_over(static_cast<channel_wait&>(*partner), to);
  else if (closed_)
    to.outcome_ = channel_wait::outcome::closed;
  else
    return false;
  return true;
}

void channel_core::hand_over(channel_wait& from, channel_wait& to) noexcept {
  element_.relocate(to.slot_, from.slot_);
  from.outcome_ = to.outcome_ = channel_wait::outcome::moved;
}

void channel_core::push(channel_wait& from) noexcept {
  element_.relocate(slot(first_ + count_), from.slot_);
  ++count_;
  from.outcome_ = channel_wait::outcome::moved;
}

void channel_core::pop(channel_wait& to) noexcept {
  element_.relocate(to.slot_, slot(first_));
  if (++first_ == capacity_) first_ = 0;
  --count_;
  to.outcome_ = channel_wait::outcome::moved;
}

/// `index` counts on behind the end of the ring, once around at most.
void* channel_core::slot(std::size_t index) const noexcept {
  if (index >= capacity_) index -= capacity_;
  return ring_ + index * element_.size;
}

void channel_core::close() noexcept {
  granted_list told;
  {
    const spin_guard guard(lock_);
    closed_ = true;
    for (wait_list* list : {&senders_, &receivers_}) {
      while (waiter* each = list->grant_front()) {
        static_cast<channel_wait&>(*each).outcome_ = channel_wait::outcome::closed;
        told.push(*each);
      }
    }
    note_hints();
  }
  told.wake();
}

void channel_core::note_hints() noexcept {
  std::uint8_t now = 0;
  if (closed_ || count_ < capacity_ || !receivers_.empty()) now |= sender;
  if (closed_ || count_ != 0 || !senders_.empty()) now |= receiver;
  hints_.store(now, std::memory_order_relaxed);
}

bool channel_core::may_succeed(channel_wait::side which) const noexcept {
  const std::uint8_t wanted = which == channel_wait::side::sends ? sender : receiver;
  return (hints_.load(std::memory_order_relaxed) & wanted) != 0;
}

bool channel_core::closed() const noexcept {
  const spin_guard guard(lock_);
  return closed_;
}

bool channel_core::ended() const noexcept {
  const spin_guard guard(lock_);
  return closed_ && count_ == 0;
}

std::size_t channel_core::size() const noexcept {
  const spin_guard guard(lock_);
  return count_;
}

}  // namespace cove::detail
