#include <cove/io/buffered_writer.hpp>

#include <cove/runtime/detail/log.hpp>

#include <string>

namespace cove::io::detail {

void report_unflushed(std::size_t count) noexcept {
  try {
    cove::detail::log(cove::detail::log_level::warning,
                      "buffered_writer: " + std::to_string(count) +
                          " bytes were not flushed and are lost; co_await flush() or "
                          "shutdown_write() before it ends, or discard() them");
  } catch (const std::bad_alloc&) {
    return;
  }
}

}  // namespace cove::io::detail
