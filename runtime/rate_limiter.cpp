#include <cove/runtime/rate_limiter.hpp>

#include "clock.hpp"

#include <algorithm>

namespace cove {

using detail::rate_acquire;
using detail::roused;
using detail::spin_guard;

namespace {

// Products of times and tokens: 63 bits each.
__extension__ using wide = unsigned __int128;

[[noreturn]] void reject(const std::string& what, const std::string& remedy) {
  detail::throw_error(std::make_error_code(std::errc::invalid_argument), what, remedy);
}

}  // namespace

rate_limiter::rate_limiter(std::size_t tokens, std::int64_t per_ns, std::size_t burst)
    : bucket_(tokens, per_ns, burst, detail::now_ns()) {}

bool rate_limiter::try_acquire(std::size_t count) noexcept {
  const std::int64_t now_ns = detail::now_ns();
  const spin_guard guard(lock_);
  bucket_.refill(now_ns);
  return waiting_.empty() && bucket_.take(count);
}

std::size_t rate_limiter::available() const noexcept {
  const std::int64_t now_ns = detail::now_ns();
  const spin_guard guard(lock_);
  detail::token_bucket now = bucket_;
  now.refill(now_ns);
  return now.held();
}

/// Gives to those in front what there is, until one wants more.
void rate_limiter::serve(std::int64_t now_ns, roused& owed) noexcept {
  bucket_.refill(now_ns);
  while (detail::waiter* first = waiting_.front()) {
    auto& each = static_cast<rate_acquire&>(*first);
    if (!bucket_.take(each.wanted_)) break;
    waiting_.grant_front();
    owed.end(each);
  }
  call_first(owed);
}

/// Whoever has become the first sets a timer.
void rate_limiter::call_first(roused& owed) noexcept {
  detail::waiter* first = waiting_.front();
  if (first == nullptr) return;
  auto& called = static_cast<rate_acquire&>(*first);
  if (called.until_ns == detail::never_ns) owed.call(called);
}

namespace detail {

token_bucket::token_bucket(std::size_t tokens, std::int64_t per_ns, std::size_t burst,
                           std::int64_t now_ns)
    : tokens_(tokens),
      per_ns_(static_cast<std::uint64_t>(per_ns)),
      burst_(burst),
      held_(burst),
      at_ns_(now_ns) {
  if (tokens == 0) reject("rate limiter of 0 tokens", "at least one has to come");
  if (burst == 0) reject("rate limiter with a burst of 0", "it could never hold a token");
  if (per_ns <= 0)
    reject("rate limiter over " + std::to_string(per_ns) + " ns", "it has to be longer than zero");
}

void token_bucket::refill(std::int64_t now_ns) noexcept {
  if (now_ns <= at_ns_) return;
  const wide gained = wide(static_cast<std::uint64_t>(now_ns - at_ns_)) * tokens_ + part_;
  at_ns_ = now_ns;
  if (gained / per_ns_ >= burst_ - held_) {
    held_ = burst_;
    part_ = 0;
    return;
  }
  held_ += static_cast<std::size_t>(gained / per_ns_);
  part_ = static_cast<std::uint64_t>(gained % per_ns_);
}

std::int64_t token_bucket::holds_at_ns(std::size_t count) const noexcept {
  if (count <= held_) return at_ns_;
  const wide missing = wide(count - held_) * per_ns_ - part_;
  const wide wait_ns = (missing + tokens_ - 1) / tokens_;
  const wide most = static_cast<std::uint64_t>(never_ns - std::max<std::int64_t>(at_ns_, 0));
  return at_ns_ + static_cast<std::int64_t>(std::min(wait_ns, most));
}

const timed_type rate_acquire::kind{look, left};

rate_acquire::rate_acquire(rate_limiter& from, std::size_t wanted)
    : timed_wait("acquire", kind, from.lock_, from.waiting_), from_(&from), wanted_(wanted) {
  if (wanted > from.burst())
    reject("acquire " + std::to_string(wanted) + " tokens",
           "the limiter never holds more than " + std::to_string(from.burst()));
}

rate_acquire::rate_acquire(rate_acquire&& other) noexcept
    : timed_wait("acquire", kind, other.from_->lock_, other.from_->waiting_),
      from_(other.from_),
      wanted_(other.wanted_) {}

bool rate_acquire::look(timed_wait& base, std::int64_t now_ns, roused& owed) noexcept {
  rate_acquire& self = of(base);
  rate_limiter& from = *self.from_;
  if (self.phase == state::fresh) from.waiting_.push_back(self);
  from.serve(now_ns, owed);
  if (self.phase == state::granted) return true;
  if (from.waiting_.front() == &self) self.until_ns = from.bucket_.holds_at_ns(self.wanted_);
  return false;
}

void rate_acquire::left(timed_wait& base, roused& owed) noexcept {
  of(base).from_->call_first(owed);
}

}  // namespace detail
}  // namespace cove
