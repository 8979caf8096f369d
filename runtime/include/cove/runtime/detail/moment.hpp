#pragma once

#include <concepts>
#include <cstdint>

// A moment of cove::clock, for headers that everybody includes: they do without <chrono>, which
// whoever has such a moment has included already (<cove/runtime/time.hpp>).

namespace cove {

struct clock;

namespace detail {

/// clock::time_point, or one of it in other units.
template <class T>
concept moment = std::same_as<typename T::clock, clock>;

template <moment T>
constexpr std::int64_t nanoseconds_of(T when) noexcept {
  const typename T::clock::time_point exact = when;
  return exact.time_since_epoch().count();
}

}  // namespace detail
}  // namespace cove
