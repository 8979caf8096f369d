#include <cove/runtime/for_each_concurrent.hpp>

namespace cove::detail {

void check_concurrency(std::size_t limit) {
  if (limit == 0)
    throw_error(std::make_error_code(std::errc::invalid_argument), "for_each_concurrent limit 0",
                "let at least one run at a time");
}

}  // namespace cove::detail
