#pragma once

// What goes through the channels of a test, to see that it arrives once and that none is left over.

#include <atomic>
#include <utility>

namespace cove::test {

/// Move-only, has no default, and counts those alive.
class parcel {
 public:
  explicit parcel(int number) noexcept : number_(number) { ++alive; }
  parcel(parcel&& other) noexcept : number_(std::exchange(other.number_, -1)) { ++alive; }
  parcel& operator=(parcel&&) = delete;
  ~parcel() { --alive; }

  int number() const noexcept { return number_; }

  static inline std::atomic<int> alive{0};

 private:
  int number_;
};

}  // namespace cove::test
