#pragma once

// The memory of stepping.hpp: what each thread has seen of each place, and what travels with a
// store. One instance an execution; it knows threads by their numbers and chooses nothing itself.

#include "support/stepping.hpp"
#include "support/stepping_order.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace stepping {

/// How far each place has been seen.
struct view {
  std::array<std::uint8_t, locations_max> seen{};

  void join(const view& other) noexcept {
    for (std::size_t i = 0; i < locations_max; ++i) seen[i] = std::max(seen[i], other.seen[i]);
  }
  void raise(std::uint32_t place, unsigned to) noexcept {
    seen[place] = std::max(seen[place], static_cast<std::uint8_t>(to));
  }
};

/// What a release hands to the acquire that reads it: a view of atomics, how much of each thread's
/// plain accesses happened before, and which accesses of the total order.
struct knowledge {
  view atomics;
  std::array<std::uint32_t, threads_max> plain{};
  accesses ordered;

  void join(const knowledge& other) noexcept {
    atomics.join(other.atomics);
    ordered |= other.ordered;
    for (std::size_t i = 0; i < threads_max; ++i) plain[i] = std::max(plain[i], other.plain[i]);
  }
};

inline bool acquires(std::memory_order order) noexcept {
  return order != std::memory_order_relaxed && order != std::memory_order_release;
}
inline bool releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

class memory {
 public:
  void clear() noexcept {
    count_ = 0;
    threads_ = {};
    order_.clear();
    total_ = fences_ = light_ = heavy_ = {};
  }

  std::uint32_t add_place(std::uint64_t initial) {
    if (count_ == locations_max) return locations_max;
    if (places_.size() <= count_) places_.emplace_back();
    places_[count_].clear();
    places_[count_].push_back({initial, {}});
    return count_++;
  }

  /// Threads begin where thread 0 stands, and it goes on where all of them ended.
  void begin_threads() noexcept {
    for (unsigned i = 1; i < threads_max; ++i) threads_[i] = threads_[0];
  }
  void end_threads() noexcept {
    for (unsigned i = 1; i < threads_max; ++i) threads_[0].now.join(threads_[i].now);
    for (std::uint32_t place = 0; place < count_; ++place)
      threads_[0].now.atomics.raise(place, last(place));
  }

  unsigned last(std::uint32_t place) const noexcept {
    return static_cast<unsigned>(places_[place].size()) - 1;
  }
  std::uint64_t value(std::uint32_t place, unsigned index) const noexcept {
    return places_[place][index].value;
  }
  /// The oldest store that a load may return.
  unsigned oldest(unsigned thread, std::uint32_t place, std::memory_order order) const noexcept {
    const unsigned own = threads_[thread].now.atomics.seen[place];
    if (order != std::memory_order_seq_cst || own == last(place)) return own;
    return std::max(
        {own, unsigned{fences_.seen[place]}, order_.oldest(place, threads_[thread].now.ordered)});
  }
  /// Is there room for one more access?
  bool full(std::uint32_t place) const noexcept { return last(place) == 254 || order_.full(); }

  void read(unsigned thread, std::uint32_t place, unsigned index, std::memory_order order) {
    state& self = threads_[thread];
    self.now.atomics.raise(place, index);
    if (order == std::memory_order_seq_cst) put_in_order(self, place, index, false);
    // What a relaxed load has met counts from the next acquire fence on.
    (acquires(order) ? self.now : self.met).join(places_[place][index].carried);
  }

  /// `updates`: reads the store before it and goes on with what that carried (a release sequence).
  void write(unsigned thread, std::uint32_t place, std::uint64_t value, std::memory_order order,
             bool updates) {
    state& self = threads_[thread];
    const unsigned index = last(place) + 1;
    self.now.atomics.raise(place, index);
    if (order == std::memory_order_seq_cst) put_in_order(self, place, index, true);
    message added{value, releases(order) ? self.now : self.fenced};
    added.carried.atomics.raise(place, index);
    if (updates) added.carried.join(places_[place].back().carried);
    places_[place].push_back(added);
  }

  void fence(unsigned thread, std::memory_order order) noexcept {
    state& self = threads_[thread];
    if (acquires(order)) self.now.join(self.met);
    if (order == std::memory_order_seq_cst) {
      self.now.atomics.join(total_);
      total_.join(self.now.atomics);
      fences_.join(self.now.atomics);
    }
    if (releases(order)) self.fenced = self.now;
  }
  void light_fence(unsigned thread) noexcept {
    threads_[thread].now.atomics.join(heavy_);
    light_.join(threads_[thread].now.atomics);
  }
  void heavy_fence(unsigned thread) noexcept {
    fence(thread, std::memory_order_seq_cst);
    threads_[thread].now.atomics.join(light_);
    heavy_.join(threads_[thread].now.atomics);
  }

  // Plain accesses of a thread are numbered; one happened before if its number is known.
  std::uint32_t next_plain(unsigned thread) noexcept {
    return ++threads_[thread].now.plain[thread];
  }
  bool knows_plain(unsigned thread, unsigned whose, std::uint32_t number) const noexcept {
    return threads_[thread].now.plain[whose] >= number;
  }

 private:
  struct message {
    std::uint64_t value;
    knowledge carried;
  };
  struct state {
    knowledge now;
    knowledge met;     ///< By relaxed loads.
    knowledge fenced;  ///< At the last release fence.
  };

  void put_in_order(state& self, std::uint32_t place, unsigned index, bool writes) {
    total_.raise(place, index);
    order_.add(place, index, writes, self.now.ordered);
  }

  std::uint32_t count_ = 0;
  std::vector<std::vector<message>> places_;
  std::array<state, threads_max> threads_{};
  total_order order_;
  view total_;   ///< What a seq_cst fence sees: all accesses with seq_cst, and fences.
  view fences_;  ///< What an access with seq_cst sees: what stands before fences.
  view light_;   ///< What light fences have published to heavy ones,
  view heavy_;   ///< and the reverse.
};

}  // namespace stepping
