#include "netpoll/make_uring.hpp"

#include <cove/runtime/error.hpp>

namespace cove::netpoll {

std::unique_ptr<backend> make_uring(const backend_settings&) {
  throw error(std::make_error_code(std::errc::function_not_supported), "io_uring",
              "cove was built without liburing");
}

}  // namespace cove::netpoll
