#include <cove/runtime/settled.hpp>

namespace cove::detail {

bool is_canceled(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const std::system_error& e) {
    return e.code() == std::errc::operation_canceled;
  } catch (...) {
    return false;
  }
}

}  // namespace cove::detail
