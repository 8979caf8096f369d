#include "netpoll/poll_set.hpp"

#include <climits>

namespace cove::netpoll {

poll_set::poll_set(desc_table& table) : line_set(table, "poll", INT_MAX) {}

int poll_set::ask(std::span<pollfd> lines, const timespec* at_most) noexcept {
  return ::ppoll(lines.data(), lines.size(), at_most, nullptr);
}

}  // namespace cove::netpoll
