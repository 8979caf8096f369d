#pragma once

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/error.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace cove {

/// A value or the error code that stands in its place: what `co_await op.as_result()` gives.
///
/// Threads:  as any value: distinct objects are independent.
template <class T>
class [[nodiscard]] result {
  static_assert(!std::is_same_v<T, std::error_code> && !std::is_same_v<T, errc>,
                "result<T>: a code would be taken for the error; use std::error_code alone");

 public:
  using value_type = T;

  result(const T& value) : has_value_(true) { ::new (&storage_) T(value); }
  result(T&& value) noexcept(std::is_nothrow_move_constructible_v<T>) : has_value_(true) {
    ::new (&storage_) T(std::move(value));
  }
  /// Requires a real error: a default (zero) code is a broken invariant.
  result(std::error_code code) noexcept : code_(code), has_value_(false) { COVE_ASSERT(code); }
  result(errc code) noexcept : result(make_error_code(code)) {}

  result(const result& other) : code_(other.code_), has_value_(other.has_value_) {
    if (has_value_) ::new (&storage_) T(other.ref());
  }
  result(result&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : code_(other.code_), has_value_(other.has_value_) {
    if (has_value_) ::new (&storage_) T(std::move(other.ref()));
  }
  result& operator=(result other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    clear();
    code_ = other.code_;
    if (other.has_value_) ::new (&storage_) T(std::move(other.ref()));
    has_value_ = other.has_value_;
    return *this;
  }
  ~result() { clear(); }

  bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }

  /// The error; a zero code where there is a value.
  std::error_code error() const noexcept { return has_value_ ? std::error_code{} : code_; }

  /// The value; throws what a plain `co_await` would have thrown where there is none.
  T& value() & { return require(), ref(); }
  const T& value() const& { return require(), ref(); }
  T&& value() && { return require(), std::move(ref()); }

  /// The value, unchecked in release builds.
  T& operator*() & noexcept { return expect(), ref(); }
  const T& operator*() const& noexcept { return expect(), ref(); }
  T&& operator*() && noexcept { return expect(), std::move(ref()); }
  T* operator->() noexcept { return expect(), &ref(); }
  const T* operator->() const noexcept { return expect(), &ref(); }

  template <class U>
  T value_or(U&& fallback) const& {
    return has_value_ ? ref() : static_cast<T>(std::forward<U>(fallback));
  }
  template <class U>
  T value_or(U&& fallback) && {
    return has_value_ ? std::move(ref()) : static_cast<T>(std::forward<U>(fallback));
  }

 private:
  T& ref() noexcept { return *std::launder(reinterpret_cast<T*>(&storage_)); }
  const T& ref() const noexcept { return *std::launder(reinterpret_cast<const T*>(&storage_)); }
  void expect() const noexcept { COVE_ASSERT(has_value_); }
  void require() const {
    if (!has_value_) detail::throw_error(code_, "result");
  }
  void clear() noexcept {
    if (has_value_) ref().~T();
    has_value_ = false;
  }

  // NOLINTNEXTLINE(bugprone-sizeof-expression): a pointer, where T is one.
  alignas(T) std::byte storage_[sizeof(T)];
  std::error_code code_;
  bool has_value_;
};

/// A reference, or the error code that stands in its place.
template <class T>
class [[nodiscard]] result<T&> {
 public:
  using value_type = T&;

  result(T& value) noexcept : value_(&value) {}
  /// Requires a real error, as above.
  result(std::error_code code) noexcept : code_(code) { COVE_ASSERT(code); }
  result(errc code) noexcept : result(make_error_code(code)) {}

  bool has_value() const noexcept { return value_ != nullptr; }
  explicit operator bool() const noexcept { return has_value(); }
  std::error_code error() const noexcept { return code_; }
  T& value() const {
    if (value_ == nullptr) detail::throw_error(code_, "result");
    return *value_;
  }
  T& operator*() const noexcept { return *value_; }
  T* operator->() const noexcept { return value_; }

 private:
  T* value_ = nullptr;
  std::error_code code_;
};

/// Success, or the error code that stands in its place.
template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;

  result() noexcept = default;
  result(std::error_code code) noexcept : code_(code) {}
  result(errc code) noexcept : code_(make_error_code(code)) {}

  bool has_value() const noexcept { return !code_; }
  explicit operator bool() const noexcept { return !code_; }
  std::error_code error() const noexcept { return code_; }
  void value() const {
    if (code_) detail::throw_error(code_, "result");
  }

 private:
  std::error_code code_;
};

/// How a transfer ended: the bytes that moved, and why it stopped if it stopped early. Both can
/// be there at once. `n == 0` without an error is the end of the stream.
struct [[nodiscard]] io_result {
  std::size_t n = 0;
  std::error_code error;

  explicit operator bool() const noexcept { return !error; }
};

}  // namespace cove
