#pragma once

#include <cove/runtime/detail/cancel.hpp>
#include <cove/runtime/result.hpp>

namespace cove::detail {

/// `co_await wait.as_result()`, for waits that fail only if they were broken off: gives a result in
/// place of a throw. `Wait` has `stop_reason broken_off() const`, true to it once it has ended.
template <class Wait>
class [[nodiscard]] result_of : public Wait {
 public:
  /// Before its start only.
  explicit result_of(Wait&& from) noexcept : Wait(static_cast<Wait&&>(from)) {}

  auto await_resume() -> result<decltype(std::declval<Wait&>().await_resume())> {
    if (const stop_reason why = this->broken_off(); why != stop_reason::none) return code_of(why);
    if constexpr (std::is_void_v<decltype(Wait::await_resume())>) {
      Wait::await_resume();
      return {};
    } else {
      return Wait::await_resume();
    }
  }
};

}  // namespace cove::detail
