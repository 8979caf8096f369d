#pragma once

#include "netpoll/line_set.hpp"

namespace cove::netpoll {

/// select(2): the oldest, and the one with a limit, FD_SETSIZE. A descriptor beyond that is refused
/// when it is opened, with a text that says so.
class select_set final : public line_set {
 public:
  /// Throws error if the system gives no eventfd, or only one beyond the limit.
  explicit select_set(desc_table& table);

  const char* name() const noexcept override { return "select"; }

 private:
  int ask(std::span<pollfd> lines, const timespec* at_most) noexcept override;
};

}  // namespace cove::netpoll
