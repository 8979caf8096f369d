#pragma once

#include <cove/runtime/task.hpp>

#include <cstddef>

namespace cove::io {

/// How a transfer ended that is a coroutine: an io_result, and what to do about its error.
struct transfer_outcome {
  transfer_outcome(io_result from) noexcept : n(from.n), error(from.error) {}
  transfer_outcome(std::size_t moved, std::error_code why, const char* advice = "") noexcept
      : n(moved), error(why), remedy(advice) {}

  std::size_t n;
  std::error_code error;
  const char* remedy = "";
  const char* verb = nullptr;  ///< What failed, if it has a better name than the whole.
};

namespace detail {

/// Throws what `ended` reports: canceled, else io_error, each with the count.
[[noreturn]] void throw_transfer(const char* verb, const transfer_outcome& ended);

template <class T>
class transfer_report;

}  // namespace detail

/// A read or a write that is made of others: what a stream of one's own gives. `T` is std::size_t
/// for what gives a count, void for what moves all of its bytes or fails.
///
///     cove::task<cove::io::transfer_outcome> read_slowly(limited& self, std::span<std::byte> room)
///     {
///       co_await self.pace.acquire();
///       co_return co_await self.stream.read_some(room).as_result();
///     }
///     cove::io::transfer<std::size_t> limited::read_some(std::span<std::byte> room) {
///       return {"read_some", read_slowly(*this, room)};
///     }
///
/// `co_await` throws io_error (or canceled) with the count; `.as_result()` gives an io_result.
/// Lazy: it begins when it is awaited.
/// Cancellation: passes to what the coroutine awaits; that must tell in `n` what it had moved.
/// Threads:      awaited once, by one task.
/// Lifetime:     what the coroutine was given by reference, as the stream and the caller's buffer,
///               must outlive the await.
template <class T>
class [[nodiscard]] transfer : public cove::detail::child_result_awaiter<transfer_outcome> {
  using child = cove::detail::child_result_awaiter<transfer_outcome>;

 public:
  /// `verb` names it in errors and outlives it: a literal.
  transfer(const char* verb, task<transfer_outcome> body) noexcept
      : child(std::move(body)), verb_(verb) {}
  /// Before its start only.
  transfer(transfer&&) noexcept = default;

  T await_resume() {
    const transfer_outcome ended = this->take();
    if (ended.error) detail::throw_transfer(verb_, ended);
    if constexpr (!std::is_void_v<T>) return ended.n;
  }

  /// Gives an io_result, and does not throw what is an error code.
  auto as_result() && noexcept { return detail::transfer_report<T>(std::move(*this)); }

 private:
  friend class detail::transfer_report<T>;

  const char* verb_;
};

namespace detail {

template <class T>
class [[nodiscard]] transfer_report : public cove::detail::awaitable_base {
 public:
  explicit transfer_report(transfer<T>&& from) noexcept : from_(std::move(from)) {}
  /// Before its start only.
  transfer_report(transfer_report&&) noexcept = default;

  bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    from_.task_ = task_;
    return from_.await_suspend(parent);
  }
  io_result await_resume() {
    try {
      const transfer_outcome ended = from_.take();
      return {ended.n, ended.error};
    } catch (const io_error& failure) {
      return {failure.transferred(), failure.code()};
    } catch (const std::system_error& failure) {
      return {0, failure.code()};
    }
  }

 private:
  transfer<T> from_;
};

}  // namespace detail
}  // namespace cove::io
