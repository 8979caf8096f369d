#pragma once

#include <cove/runtime/detail/promise.hpp>
#include <cove/runtime/error.hpp>

#include <optional>
#include <variant>

namespace cove {

namespace detail {

/// A T as a member: nothing becomes std::monostate.
template <class T>
using present = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

bool is_canceled(const std::exception_ptr& failure) noexcept;

}  // namespace detail

/// How one of several operations ended: with a value or with an exception.
///
/// Threads:  as any value: distinct objects are independent.
template <class T>
class [[nodiscard]] settled {
  using kept =
      std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, detail::present<T>>;
  using seen = std::conditional_t<std::is_void_v<T>, void,
                                  std::add_lvalue_reference_t<const std::remove_reference_t<T>>>;

 public:
  using value_type = T;

  /// With a value, made of `value` (std::monostate for void).
  template <class U>
  settled(std::in_place_t, U&& value) {
    if constexpr (std::is_reference_v<T>)
      value_.emplace(__builtin_addressof(value));
    else
      value_.emplace(std::forward<U>(value));
  }
  /// With an exception, which must not be null.
  explicit settled(std::exception_ptr failure) noexcept : failure_(std::move(failure)) {
    COVE_ASSERT(failure_);
  }

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  /// The value; throws the exception where there is none. From an rvalue it is moved out.
  T value() && {
    require();
    if constexpr (std::is_reference_v<T>)
      return static_cast<T>(**value_);
    else if constexpr (!std::is_void_v<T>)
      return std::move(*value_);
  }
  seen value() const& {
    require();
    if constexpr (std::is_reference_v<T>)
      return **value_;
    else if constexpr (!std::is_void_v<T>)
      return *value_;
  }

  /// The exception; null where there is a value.
  const std::exception_ptr& exception() const noexcept { return failure_; }

  /// Did it end by a request?
  bool was_canceled() const noexcept { return failure_ && detail::is_canceled(failure_); }

 private:
  void require() const {
    if (failure_) std::rethrow_exception(failure_);
  }

  std::optional<kept> value_;
  std::exception_ptr failure_;
};

}  // namespace cove
