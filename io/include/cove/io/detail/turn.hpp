#pragma once

#include <cove/runtime/this_task.hpp>

namespace cove::io::detail {

/// What an operation begins with that may find all it wants in memory: the task gives way when its
/// budget is spent, and learns whether it has to end. Gives the code of that, or zero.
class turn : public cove::detail::maybe_yield_awaiter {
 public:
  std::error_code await_resume() const noexcept {
    const cove::detail::stop_reason why = cove::detail::glance(*task_);
    return why == cove::detail::stop_reason::none ? std::error_code{} : cove::detail::code_of(why);
  }
};

}  // namespace cove::io::detail
