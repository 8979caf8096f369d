#pragma once

#include "netpoll/line_set.hpp"

namespace cove::netpoll {

/// poll(2): portable, and as dear as the set is long.
class poll_set final : public line_set {
 public:
  /// Throws error if the system gives no eventfd.
  explicit poll_set(desc_table& table);

  const char* name() const noexcept override { return "poll"; }

 private:
  int ask(std::span<pollfd> lines, const timespec* at_most) noexcept override;
};

}  // namespace cove::netpoll
