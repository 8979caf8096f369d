#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace cove {

/// What the operating system has no code for. Everything else is reported with the system's own
/// code, which compares with `std::errc` as usual.
enum class errc {
  /// The object was closed on this side.
  closed = 1,
  /// A limit set with with_timeout or a deadline passed. Compares equal to `std::errc::timed_out`;
  /// the kernel's own ETIMEDOUT does too, but is another code.
  deadline_exceeded,
  /// The runtime is stopping or has stopped. Compares equal to `std::errc::operation_canceled`.
  stopped,
  /// The stream ended inside an exact or delimited read, even if nothing had been read.
  unexpected_end,
  /// Another task is already using this direction of the stream. Compares equal to
  /// `std::errc::operation_in_progress`.
  operation_in_progress,
  /// The handle is attached to another runtime than the one of the awaiting task.
  wrong_runtime,
  /// The number of the descriptor is higher than the backend can watch: select stops at 1023.
  descriptor_too_high,
};

/// The category of `errc`, named "cove".
const std::error_category& category() noexcept;

std::error_code make_error_code(errc code) noexcept;

/// Turns an errno value into the error code that every part of cove reports for it.
std::error_code system_error_code(int error_number) noexcept;

/// Text for people: `connection refused (ECONNREFUSED)`, or the category's message for other codes.
std::string describe(std::error_code code);

/// A failure with its whole story in `what()`: the operation, the thing, the value, the system's
/// word for it and, where there is one, the remedy:
/// `bind "10.0.0.1:80": cannot assign requested address (EADDRNOTAVAIL); the address is not on this
/// host`.
class error : public std::system_error {
 public:
  /// `context` says what was tried (`bind "10.0.0.1:80"`), `remedy` what to do about it.
  error(std::error_code code, std::string_view context, std::string_view remedy = {});

  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// A transfer failed after it may have moved bytes.
class io_error : public error {
 public:
  io_error(std::error_code code, std::string_view context, std::size_t transferred,
           std::string_view remedy = {});

  /// Bytes that had moved before the failure; the stream stands behind them.
  std::size_t transferred() const noexcept { return transferred_; }

 private:
  std::size_t transferred_;
};

/// The await was cancelled. The request stays: a loop that swallows this exception fails again at
/// its next await. A transfer says how far it got.
class canceled : public io_error {
 public:
  explicit canceled(std::string_view context = "await", std::size_t transferred = 0);
};

namespace detail {

/// Throws the exception that belongs to `code`: canceled for operation_canceled, else error.
[[noreturn]] void throw_error(std::error_code code, std::string_view context,
                              std::string_view remedy = {});

}  // namespace detail
}  // namespace cove

template <>
struct std::is_error_code_enum<cove::errc> : std::true_type {};
