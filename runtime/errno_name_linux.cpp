#include "errno_name.hpp"

#include <cctype>
#include <cstring>

namespace cove::detail {

std::string errno_text(int error_number) {
  const char* description = ::strerrordesc_np(error_number);
  const char* name = ::strerrorname_np(error_number);
  if (description == nullptr || name == nullptr)
    return "unknown system error " + std::to_string(error_number);
  std::string text(description);
  // "I/O error" and the like keep their capitals: only a capital before a small letter goes down.
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0)
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text + " (" + name + ")";
}

}  // namespace cove::detail
