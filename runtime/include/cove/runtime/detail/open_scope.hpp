#pragma once

#include <cove/runtime/detail/cancel.hpp>
#include <cove/runtime/detail/suspend.hpp>

namespace cove::detail {

/// A cancel scope without a timer, open in the task that runs for as long as this lives in its
/// frame.
class open_scope {
 public:
  enum class kind : std::uint8_t {
    plain,   ///< Whoever triggers it asks what runs inside.
    shield,  ///< What is asked from further out is not seen inside.
  };

  explicit open_scope(kind chosen) noexcept {
    link_.shield = chosen == kind::shield;
    enter_scope(*current_task(), link_);
  }
  open_scope(const open_scope&) = delete;
  open_scope& operator=(const open_scope&) = delete;
  ~open_scope() { leave_scope(*link_.owner, link_); }

  cancel_scope& link() noexcept { return link_; }

 private:
  cancel_scope link_;
};

}  // namespace cove::detail
