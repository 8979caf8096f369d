#include <cove/net/serve.hpp>

#include <cove/runtime/detail/log.hpp>

namespace cove::net::detail {

bool accept_backoff::passes(std::error_code why) noexcept {
  return why == std::errc::too_many_files_open || why == std::errc::too_many_files_open_in_system ||
         why == std::errc::no_buffer_space || why == std::errc::not_enough_memory;
}

std::int64_t accept_backoff::next_ns(std::error_code why) noexcept {
  constexpr std::int64_t shortest_ns = 5'000'000;
  constexpr std::int64_t longest_ns = 1'000'000'000;
  if (wait_ns_ == 0) {
    cove::detail::log(cove::detail::log_level::warning,
                      "accept: " + describe(why) + "; trying again until there is room");
    wait_ns_ = shortest_ns;
  } else {
    wait_ns_ = wait_ns_ * 2 < longest_ns ? wait_ns_ * 2 : longest_ns;
  }
  return wait_ns_;
}

}  // namespace cove::net::detail
