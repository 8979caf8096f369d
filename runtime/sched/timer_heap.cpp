#include "sched/timer_heap.hpp"

#include <cove/runtime/detail/assert.hpp>

#include <algorithm>
#include <exception>

namespace cove::sched {
namespace {

// Four children lie in two cache lines at most, and the heap is half as deep as a binary one.
constexpr std::size_t arity = 4;

// Below this many entries memory is not worth giving back.
constexpr std::size_t kept_capacity = 256;

constexpr std::size_t parent_of(std::size_t index) noexcept { return (index - 1) / arity; }

}  // namespace

timer_heap::~timer_heap() { COVE_ASSERT(entries_.empty()); }

bool timer_heap::insert(detail::timer_node& node, std::int64_t when_ns) {
  detail::spin_guard hold(lock_);
  const std::int64_t earliest_before = earliest();
  add(node, when_ns);
  publish_earliest();
  return when_ns < earliest_before;
}

bool timer_heap::remove(detail::timer_node& node) noexcept {
  detail::spin_guard hold(lock_);
  if (node.heap.load(std::memory_order_relaxed) != tag_) return false;
  erase(node.index);
  node.heap.store(0, std::memory_order_relaxed);
  publish_earliest();
  shrink();
  return true;
}

unsigned timer_heap::expire(std::int64_t now_ns, void* sink, unsigned limit) noexcept {
  if (earliest() > now_ns) return 0;
  detail::spin_guard hold(lock_);
  unsigned fired = 0;
  while (fired < limit && !entries_.empty() && entries_.front().when_ns <= now_ns) {
    detail::timer_node& node = *entries_.front().node;
    erase(0);
    node.heap.store(0, std::memory_order_relaxed);
    ++fired;
    // The last use of the node: what it wakes may run on another worker already and end its frame.
    node.fire(node, sink);
  }
  publish_earliest();
  shrink();
  return fired;
}

void timer_heap::clear() noexcept {
  detail::spin_guard hold(lock_);
  for (const entry& each : entries_) each.node->heap.store(0, std::memory_order_relaxed);
  entries_.clear();
  publish_earliest();
}

void timer_heap::reinsert(detail::timer_node& node, std::int64_t when_ns) noexcept {
  COVE_ASSERT(entries_.size() < entries_.capacity());
  add(node, when_ns);
}

std::size_t timer_heap::size() const noexcept {
  detail::spin_guard hold(lock_);
  return entries_.size();
}

void timer_heap::add(detail::timer_node& node, std::int64_t when_ns) {
  COVE_ASSERT(node.heap.load(std::memory_order_relaxed) == 0 && node.fire != nullptr);
  const entry added{when_ns, next_sequence_, &node};
  entries_.push_back(added);
  ++next_sequence_;
  node.when_ns = when_ns;
  node.heap.store(tag_, std::memory_order_relaxed);
  sift_up(entries_.size() - 1, added);
}

void timer_heap::erase(std::size_t index) noexcept {
  COVE_ASSERT(index < entries_.size());
  const entry last = entries_.back();
  entries_.pop_back();
  if (index == entries_.size()) return;
  if (index != 0 && last.before(entries_[parent_of(index)])) {
    sift_up(index, last);
  } else {
    sift_down(index, last);
  }
}

void timer_heap::place(std::size_t index, const entry& moved) noexcept {
  entries_[index] = moved;
  moved.node->index = static_cast<std::uint32_t>(index);
}

void timer_heap::sift_up(std::size_t hole, const entry& moved) noexcept {
  while (hole != 0) {
    const std::size_t parent = parent_of(hole);
    if (!moved.before(entries_[parent])) break;
    place(hole, entries_[parent]);
    hole = parent;
  }
  place(hole, moved);
}

void timer_heap::sift_down(std::size_t hole, const entry& moved) noexcept {
  for (;;) {
    const std::size_t first = hole * arity + 1;
    if (first >= entries_.size()) break;
    const std::size_t end = std::min(first + arity, entries_.size());
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child) {
      if (entries_[child].before(entries_[least])) least = child;
    }
    if (!entries_[least].before(moved)) break;
    place(hole, entries_[least]);
    hole = least;
  }
  place(hole, moved);
}

void timer_heap::publish_earliest() noexcept {
  earliest_ns_.store(entries_.empty() ? never() : entries_.front().when_ns,
                     std::memory_order_relaxed);
}

void timer_heap::shrink() noexcept {
  const std::size_t capacity = entries_.capacity();
  if (capacity <= kept_capacity || entries_.size() > capacity / 4) return;
  try {
    std::vector<entry> smaller;
    smaller.reserve(capacity / 2);
    smaller.assign(entries_.begin(), entries_.end());
    entries_.swap(smaller);
  } catch (const std::exception&) {
    // There is no memory to save memory with: the heap stays as large as it is.
  }
}

}  // namespace cove::sched
