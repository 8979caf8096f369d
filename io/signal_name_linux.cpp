#include "signal_name.hpp"

#include <cstring>

namespace cove::io::detail {

std::string signal_text(int number) {
  const char* name = ::sigabbrev_np(number);  // Without the SIG.
  return std::to_string(number) + (name != nullptr ? " (SIG" + std::string(name) + ")" : "");
}

}  // namespace cove::io::detail
